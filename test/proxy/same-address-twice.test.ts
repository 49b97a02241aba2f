import assert from 'node:assert/strict';
import dns from 'node:dns/promises';
import { syncBuiltinESMExports } from 'node:module';
import { test } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { planTo, proxyFor, serverThat } from './servers.ts';

test('a name that has the same address twice is one server', async (t) => {
  const address = { address: '127.0.0.1', family: 4 };
  const { mock } = t.mock.method(dns, 'lookup', async () => [address, address]);
  syncBuiltinESMExports();
  t.after(() => {
    mock.restore();
    syncBuiltinESMExports();
  });
  const redis = await serverThat(t, (words) => (words === 'PING' ? '+PONG\r\n' : '+OK\r\n'));
  const plan = planTo(redis.port);
  const [upstream] = plan.upstreams.values();
  assert.ok(upstream?.mode === 'proxy');
  const servers = { kind: 'dns', name: 'redis.test', port: redis.port } as const;
  const { proxy } = await proxyFor(t, {
    ...plan,
    upstreams: new Map([[upstream.id, { ...upstream, servers }]]),
  });
  await eventually('its server', () => proxy.notReady() === undefined || undefined);
  assert.equal(proxy.status()[0]?.nodes.length, 1);
});
