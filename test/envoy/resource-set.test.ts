import assert from 'node:assert/strict';
import { test } from 'node:test';

import { LISTENER_TYPE, type Resource } from '../../src/envoy/resource.ts';
import { ResourceSet } from '../../src/envoy/resource-set.ts';

/** `a@1`; `a` stands for a removal. */
function resource(word: string): [string, Resource | undefined] {
  const [name = '', version] = word.split('@');
  if (version === undefined) return [name, undefined];
  return [name, { typeUrl: LISTENER_TYPE, name, version, bytes: Buffer.from(word) }];
}

function setOf(words: string): ResourceSet {
  return ResourceSet.empty.with(new Map(words.split(' ').filter(Boolean).map(resource)));
}

function change(set: ResourceSet, words: string): ResourceSet {
  return set.with(new Map(words.split(' ').filter(Boolean).map(resource)));
}

function wordsOf(set: ResourceSet): string {
  return set.list.map(({ name, version }) => `${name}@${version}`).join(' ');
}

function told(later: ResourceSet, earlier: ResourceSet): string {
  const { resources, removed } = later.since(earlier);
  return [
    ...resources.map(({ name, version }) => `${name}@${version}`),
    ...removed.map((name) => `-${name}`),
  ].join(' ');
}

const changes: [before: string, updates: string, after: string, told: string][] = [
  ['a@1 b@1 c@1', 'b@2', 'a@1 b@2 c@1', 'b@2'],
  ['b@1 d@1', 'a@1 c@1 e@1', 'a@1 b@1 c@1 d@1 e@1', 'a@1 c@1 e@1'],
  ['a@1 b@1 c@1', 'a c', 'b@1', '-a -c'],
  ['a@1 b@1', 'c@1 a b@2', 'b@2 c@1', 'b@2 c@1 -a'],
  ['', 'b@1 a@1', 'a@1 b@1', 'a@1 b@1'],
  ['a@1', 'a', '', '-a'],
  ['a@1', 'x a@1', 'a@1', ''],
];

for (const [before, updates, after, expected] of changes) {
  test(`"${before}" with "${updates}" is "${after}", told as "${expected}"`, () => {
    const earlier = setOf(before);
    const later = change(earlier, updates);
    assert.equal(wordsOf(later), after);
    assert.equal(told(later, earlier), expected);
    // Compared entry by entry, where neither is made from the other.
    assert.equal(told(setOf(after), setOf(before)), expected);
  });
}

test('a change of many among many is the same as one by one', () => {
  const names = Array.from({ length: 500 }, (_, index) => `n${index}`);
  const start = setOf(names.map((name) => `${name}@1`).join(' '));
  const updates = names
    .filter((_, index) => index % 3 === 0)
    .map((name, at) => (at % 2 ? name : `${name}@2`));
  const atOnce = change(start, updates.join(' '));
  let step = start;
  for (const update of updates) step = change(step, update);
  assert.equal(wordsOf(step), wordsOf(atOnce));
  assert.equal(step.version, atOnce.version);
  assert.equal(told(step, start), told(atOnce, start));
});

test('the version follows from the members alone, and differs with each of them', () => {
  const direct = setOf('a@1 b@2');
  assert.equal(change(setOf('b@1 c@9'), 'a@1 c b@2').version, direct.version);
  const others = ['', 'a@1', 'a@2 b@2', 'a@2 b@1', 'a@1 c@2', 'a@1 b@2 c@1'];
  const versions = new Set([direct, ...others.map(setOf)].map(({ version }) => version));
  assert.equal(versions.size, others.length + 1);
});

test('nothing changed is the set itself, and a transition is the same object for all who ask', () => {
  const set = setOf('a@1 b@1');
  assert.equal(change(set, 'a@1'), set);
  const later = change(set, 'a@2');
  assert.equal(later.since(set), later.since(set));
  const other = setOf('a@5');
  assert.equal(later.since(other), later.since(other));
});
