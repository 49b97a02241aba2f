import assert from 'node:assert/strict';
import { test } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { BUSY, proxyFor, serverThat, planTo } from './servers.ts';

test('servers for reads are shown in the role that they say they have', async (t) => {
  const says = (info: string) => (words: string) =>
    words.startsWith('INFO') ? `$${info.length}\r\n${info}\r\n` : '+PONG\r\n';
  const primary = await serverThat(t, says('role:master\r\n'));
  const replica = await serverThat(t, says('role:slave\r\nmaster_link_status:up\r\n'));
  const { proxy } = await proxyFor(
    t,
    planTo(primary.port, {
      reads: { address: '127.0.0.1', port: replica.port },
      readPolicy: 'PREFER_REPLICA',
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

const DENIED = "-NOPERM this user has no permissions to run the 'info' command\r\n";
for (const [what, ping, times] of [
  ['does not say how it follows is told once', '+PONG\r\n', 1],
  ['is busy, and says nothing else, is not told', BUSY, 0],
] as const) {
  test(`where a maximum lag is wanted, a server for reads that ${what}`, async (t) => {
    let asked = 0;
    const redis = await serverThat(t, (words) => {
      if (!words.startsWith('INFO')) return ping;
      asked += 1;
      return ping === BUSY ? BUSY : DENIED;
    });
    const place = { address: '127.0.0.1', port: redis.port };
    const plan = planTo(place.port, { upstream: place, reads: place, readPolicy: 'REPLICA' });
    const { lines } = await proxyFor(t, plan, { maxLagMs: 500 });
    await eventually('three questions', () => asked > 2 || undefined, { deadlineMs: 30_000 });
    const told = lines.filter((line) =>
      line.includes('does not answer INFO replication, so --max-lag does not hold'),
    );
    assert.equal(told.length, times, lines.join(''));
  });
}
