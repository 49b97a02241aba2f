import assert from 'node:assert/strict';
import { test } from 'node:test';

import {
  NOTHING,
  memoryTexts,
  parseMemory,
  readMemory,
  type Remembered,
} from '../../../src/sources/kubernetes/memory.ts';

const REMEMBERED: Remembered = {
  objects: [{ metadata: { name: 'cache', namespace: 'shop' } }],
  modes: new Map([
    ['cache.shop:6379', 'cluster'],
    ['queue.shop:6379', 'standalone'],
  ]),
  generations: new Map([['cache.shop:6379', 2]]),
};

test('what is stored is read again', () => {
  assert.deepEqual(parseMemory(memoryTexts(REMEMBERED)), REMEMBERED);
});

test('where nothing was stored nothing is remembered', () => {
  assert.deepEqual(parseMemory({}), NOTHING);
});

test('the same is stored in the same words, whatever the order', () => {
  const turned = { ...REMEMBERED, modes: new Map([...REMEMBERED.modes].reverse()) };
  assert.deepEqual(memoryTexts(turned), memoryTexts(REMEMBERED));
});

test('what another version wrote, or nobody can read, is nothing', () => {
  const texts = {
    objects: '{"a":1}',
    modes: '[["a","sharded"],[1,"cluster"],"b"]',
    generations: '[["a","2"],["b",-1]',
  };
  assert.deepEqual(parseMemory(texts), NOTHING);
});

test('a ConfigMap has room for all of it, in whatever language', () => {
  const host = (index: number): string => `${'host'.repeat(20)}-${index}:6379`;
  const ofUsers = { 'redpilot.dev/listen': '住所'.repeat(40) };
  const many = Array.from({ length: 20_000 }, (_, index) => index);
  const texts = memoryTexts({
    objects: many.map((index) => ({
      metadata: { name: host(index), annotations: ofUsers } as { name: string },
    })),
    modes: new Map(many.map((index) => [host(index), 'cluster'])),
    generations: new Map(many.map((index) => [host(index), 1])),
  });
  const bytes = Object.values(texts).reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  assert.ok(bytes < 1_000_000, `${bytes} bytes`);
  assert.ok(parseMemory(texts).modes.size > 2_000);
});

const reading = (answer: unknown): ReturnType<typeof readMemory> =>
  readMemory({ request: async () => answer }, 'redpilot');

test('where nothing was stored, nothing is remembered', async () => {
  for (const items of [[], null]) assert.deepEqual(await reading({ items }), NOTHING);
});

test('what is remembered can not be known from an answer that is no list', async () => {
  for (const answer of [undefined, {}, { items: 'none' }])
    await assert.rejects(reading(answer), /the answer is not a list/);
});
