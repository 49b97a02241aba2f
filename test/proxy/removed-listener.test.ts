import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { test } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { clientOf, planTo, proxyFor, serverThat } from './servers.ts';

test('who asked over a listener that was removed gets the answer also where the proxy ends meanwhile', async (t) => {
  const waiting: Socket[] = [];
  const redis = await serverThat(t, (words, socket) => {
    if (!words.startsWith('SET')) return '+PONG\r\n';
    waiting.push(socket);
    return undefined;
  });
  const plan = planTo(redis.port);
  const { proxy, port } = await proxyFor(t, plan, { drainMs: 20_000 });
  const client = clientOf(t, port);
  client.socket.write('SET k 1\r\n');
  await eventually('the command', () => waiting.length > 0 || undefined);
  await proxy.update({ ...plan, listeners: [] });
  let hasClosed = false;
  const closed = proxy.close().then(() => (hasClosed = true));
  // Whatever could be closed at once is, by then.
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
  assert.ok(!hasClosed);
  for (const socket of waiting) socket.write('+OK\r\n');
  await closed;
  await eventually('the reply', () => client.got() === '+OK\r\n' || undefined, { seen: () => client.got() });
});
