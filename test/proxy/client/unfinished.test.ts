import assert from 'node:assert/strict';
import { test } from 'node:test';

import { eventually } from '../../../src/demo/eventually.ts';
import { UNFINISHED_MS } from '../../../src/proxy/client/unfinished.ts';
import { clientOf, planTo, proxyFor, serverThat } from '../servers.ts';

test('who sends half a command and no more is told so and disconnected; an idle client is not', async (t) => {
  const redis = await serverThat(t, () => '+PONG\r\n');
  const { port } = await proxyFor(t, planTo(redis.port));
  const [half, idle] = [clientOf(t, port), clientOf(t, port)];
  half.socket.write('*1\r\n$4\r\nPING\r\n*2\r\n$3\r\nGET\r\n');
  idle.socket.write('PING\r\n');
  await eventually('the replies', () => (half.got() !== '' && idle.got() !== '') || undefined);
  const isOver = new Promise((resolve) => half.socket.once('end', resolve));
  const now = performance.now.bind(performance);
  t.mock.method(performance, 'now', () => now() + UNFINISHED_MS + 1_000);
  await isOver;
  assert.match(half.got(), /^\+PONG\r\n-ERR Protocol error: unfinished request, nothing for 60 s\r\n$/);
  idle.socket.write('PING\r\n');
  await eventually('the reply of the idle one', () => idle.got() === '+PONG\r\n+PONG\r\n' || undefined);
});
