import assert from 'node:assert/strict';
import { test } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { clientOf, planTo, proxyFor, serverThat, withOpTimeout } from './servers.ts';

test('a proxy that is late at each look still sees who has waited too long', async (t) => {
  const redis = await serverThat(t, () => undefined);
  const { port } = await proxyFor(t, withOpTimeout(planTo(redis.port), 300));
  const client = clientOf(t, port);
  client.socket.write('SET k v\r\n');
  await eventually('the command', () => redis.asked.includes('SET k v') || undefined);
  const word = new Int32Array(new SharedArrayBuffer(4));
  const standing = setInterval(() => Atomics.wait(word, 0, 0, 250), 1);
  t.after(() => clearInterval(standing));
  await eventually('its reply', () => client.got() === '-upstream failure\r\n' || undefined, {
    deadlineMs: 10_000,
    seen: () => client.got(),
  });
  assert.equal(redis.asked.filter((words) => words === 'SET k v').length, 1);
});
