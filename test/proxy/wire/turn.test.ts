import assert from 'node:assert/strict';
import { test } from 'node:test';

import { beginRead, flushClient, flushUpstream } from '../../../src/proxy/wire/turn.ts';

/** More than it ever waits. */
const TURNS = 6;

function counted() {
  const it = { flushes: 0, flush: () => void (it.flushes += 1) };
  return it;
}

const turn = async (): Promise<void> => await new Promise((resolve) => setImmediate(resolve));

test('what comes alone goes to Redis at the end of its turn', async () => {
  const redis = counted();
  beginRead();
  flushUpstream(redis);
  await turn();
  assert.equal(redis.flushes, 1);
});

test('of several, those of the next turn go with them', async () => {
  const redis = counted();
  for (let index = 0; index < 3; index++) beginRead();
  flushUpstream(redis);
  await turn();
  assert.equal(redis.flushes, 0);
  // Nobody else comes.
  await turn();
  assert.equal(redis.flushes, 1);
});

test('what goes to Redis waits for some turns only, however many come', async () => {
  const redis = counted();
  flushUpstream(redis);
  for (let count = 0; count < TURNS; count++) {
    for (let index = 0; index < 10; index++) beginRead();
    await turn();
  }
  assert.equal(redis.flushes, 1);
});

test('replies wait for nobody', async () => {
  const [redis, client] = [counted(), counted()];
  for (let index = 0; index < 3; index++) beginRead();
  flushUpstream(redis);
  flushClient(client);
  await turn();
  assert.equal(client.flushes, 1);
});

test('who has a reply does not wait for what goes to Redis', async () => {
  const order: string[] = [];
  flushUpstream({ flush: () => void order.push('to Redis') });
  flushClient({ flush: () => void order.push('to a client') });
  await turn();
  assert.deepEqual(order, ['to a client', 'to Redis']);
});

test('who is told that Redis can not be written to is told in the same turn', async () => {
  const client = counted();
  flushUpstream({ flush: () => flushClient(client) });
  await turn();
  assert.equal(client.flushes, 1);
});
