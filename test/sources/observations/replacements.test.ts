import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Replacements } from '../../../src/sources/observations/replacements.ts';
import type { MemberChanges } from '../../../src/world/observation.ts';

const HOST = 'cache.shop:6379';
const now = (...addresses: readonly string[]): MemberChanges => new Map([[HOST, { host: HOST, addresses }]]);
const gone: MemberChanges = new Map([[HOST, undefined]]);

/** The number of the host after each step, as the World is told. */
function told(...steps: readonly MemberChanges[]): readonly (number | undefined)[] {
  const replacements = new Replacements();
  return steps.map((step) => replacements.follow(step).get(HOST));
}

const cases: [what: string, steps: readonly MemberChanges[], told: readonly (number | undefined)[]][] = [
  ['the first servers of a host replace nobody', [now('a', 'b')], [undefined]],
  [
    'servers that come and go one by one',
    [now('a', 'b'), now('b', 'c'), now('c')],
    [undefined, undefined, undefined],
  ],
  ['all replaced at once, twice', [now('a', 'b'), now('c', 'd'), now('e')], [undefined, 1, 2]],
  ['all gone, then others', [now('a'), now(), now('b')], [undefined, undefined, 1]],
  ['all gone, then the same again', [now('a'), now(), now('a')], [undefined, undefined, undefined]],
  ['a host that never had any gets some', [now(), now('a')], [undefined, undefined]],
  [
    'a host that is used no longer is forgotten',
    [now('a'), now('b'), gone, now('c')],
    [undefined, 1, 0, undefined],
  ],
];

for (const [what, steps, expected] of cases) {
  test(`${what}: ${expected.map((number) => number ?? '-').join(', ')}`, () => {
    assert.deepEqual(told(...steps), expected);
  });
}

test('two upstreams of one host count once', () => {
  const replacements = new Replacements();
  const both = (address: string): MemberChanges =>
    new Map(['one', 'two'].map((upstream) => [upstream, { host: HOST, addresses: [address] }]));
  replacements.follow(both('a'));
  assert.deepEqual([...replacements.follow(both('b'))], [[HOST, 1]]);
  // As long as one of them is used, so is the host.
  replacements.follow(new Map([['one', undefined]]));
  assert.deepEqual([...replacements.generations()], [[HOST, 1]]);
});

test('what there was before the start is noted, not counted', () => {
  const replacements = new Replacements();
  replacements.follow(now('a'), { compare: false });
  assert.equal(replacements.follow(now('b'), { compare: false }).size, 0);
  assert.deepEqual([...replacements.follow(now('c'))], [[HOST, 1]]);
});

test('a restart counts on from what was remembered', () => {
  const replacements = new Replacements();
  replacements.recall(new Map([[HOST, 3]]));
  replacements.follow(now('a'));
  assert.deepEqual([...replacements.follow(now('b'))], [[HOST, 4]]);
});

test('of another replica the higher number counts, for hosts that are in use', () => {
  const replacements = new Replacements();
  replacements.follow(now('a'));
  assert.deepEqual(
    [
      ...replacements.learn(
        new Map([
          [HOST, 2],
          ['other:6379', 5],
        ]),
      ),
    ],
    [[HOST, 2]],
  );
  assert.equal(replacements.learn(new Map([[HOST, 1]])).size, 0);
  assert.deepEqual([...replacements.generations()], [[HOST, 2]]);
});
