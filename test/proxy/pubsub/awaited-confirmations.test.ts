import assert from 'node:assert/strict';
import { test } from 'node:test';

import { AwaitedConfirmations } from '../../../src/proxy/pubsub/awaited-confirmations.ts';

test('commands are answered in order, each once it has all its confirmations or an error', () => {
  const awaited = new AwaitedConfirmations<string>();
  awaited.add('two', 2);
  awaited.add('refused', 3);
  awaited.add('none', 0);
  assert.equal(awaited.first, 'two');
  assert.deepEqual(awaited.take(false), { isFirst: true, isLast: false });
  assert.deepEqual(awaited.take(false), { isFirst: false, isLast: true });
  assert.equal(
    awaited.some((asked) => asked === 'two'),
    false,
  );
  assert.equal(awaited.first, 'refused');
  assert.deepEqual(awaited.take(true), { isFirst: true, isLast: true });
  assert.deepEqual(awaited.clear(), ['none']);
  assert.ok(awaited.isEmpty);
  assert.deepEqual(awaited.take(false), { isFirst: false, isLast: false });
});

test('of very many commands one takes no longer than of few', () => {
  const awaited = new AwaitedConfirmations<number>();
  const startedAt = performance.now();
  for (let command = 0; command < 300_000; command++) awaited.add(command, 1);
  while (!awaited.isEmpty) awaited.take(false);
  // Where each moves all others this takes 20 s.
  assert.ok(performance.now() - startedAt < 8_000);
});
