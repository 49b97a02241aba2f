import assert from 'node:assert/strict';
import { test } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { planSingleUpstream } from '../../src/plan/single-upstream.ts';
import { proxyFor, serverThat } from './servers.ts';

test('servers for reads are shown in the role that they say they have', async (t) => {
  const says = (info: string) => (words: string) =>
    words.startsWith('INFO') ? `$${info.length}\r\n${info}\r\n` : '+PONG\r\n';
  const primary = await serverThat(t, says('role:master\r\n'));
  const replica = await serverThat(t, says('role:slave\r\nmaster_link_status:up\r\n'));
  const { proxy } = await proxyFor(
    t,
    planSingleUpstream({
      upstream: { address: '127.0.0.1', port: primary.port },
      mode: 'proxy',
      reads: { address: '127.0.0.1', port: replica.port },
      readPolicy: 'PREFER_REPLICA',
      listen: { address: '127.0.0.1', port: 0 },
      clientPassword: undefined,
      upstreamPassword: undefined,
    }),
  );
  const nodes = () => proxy.status().find(({ id }) => id.startsWith('reads'))?.nodes ?? [];
  await eventually(
    'all asked',
    () => nodes().filter(({ state }) => state === 'fit').length === 2 || undefined,
    {
      seen: () => JSON.stringify(nodes()),
    },
  );
  assert.deepEqual(
    nodes().map(({ address, role }) => [address, role]),
    [
      [`127.0.0.1:${replica.port}`, 'replica'],
      [`127.0.0.1:${primary.port}`, 'primary'],
    ],
  );
});
