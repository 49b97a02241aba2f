import assert from 'node:assert/strict';
import { test } from 'node:test';

import { eventually } from '../../../src/demo/eventually.ts';
import { clientOf, planTo, proxyFor, serverThat } from '../servers.ts';

test('what is refused is refused with its reason, and asked of nobody', async (t) => {
  const redis = await serverThat(t, () => '+PONG\r\n');
  const { port } = await proxyFor(t, planTo(redis.port));
  const client = clientOf(t, port);
  client.socket.write('CLUSTERSCAN 0\r\nSHUTDOWN\r\n');
  await eventually('both', () => client.got().split('\r\n').length === 3 || undefined);
  const [scan = '', shutdown = ''] = client.got().split('\r\n');
  assert.match(
    scan,
    /^-ERR 'clusterscan' is not carried out by this proxy: .*SCAN goes through all of them here$/,
  );
  assert.match(shutdown, /^-ERR 'shutdown' is not carried out by this proxy: it is for administrators/);
  assert.ok(redis.asked.every((words) => words === 'PING'));
});
