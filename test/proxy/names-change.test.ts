import assert from 'node:assert/strict';
import { test } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { clientOf, proxyFor, serverThat } from './servers.ts';
import { planToServers, resolveTo } from './several-servers.ts';

test('what a server was asked before its name led elsewhere it may answer, and nobody else is asked', async (t) => {
  const [OLD, NEW] = ['127.0.0.41', '127.0.0.42'] as const;
  let answer = (): void => {};
  const old = await serverThat(
    t,
    (words, socket) => {
      if (words === 'PING') return '+PONG\r\n';
      answer = () => socket.write(':1\r\n');
      return undefined;
    },
    { host: OLD, port: 0 },
  );
  const { port } = old;
  const fresh = await serverThat(t, () => ':2\r\n', { host: NEW, port });
  const names = resolveTo(t, OLD);
  const plan = planToServers({ kind: 'dns', name: 'servers', port });
  const { proxy, port: through } = await proxyFor(t, plan);
  const client = clientOf(t, through);
  client.socket.write('INCR a\r\n');
  await eventually('the write', () => old.asked.includes('INCR a') || undefined);
  names.addresses = [NEW];
  const isThere = (): boolean => proxy.status()[0]?.nodes[0]?.address === `${NEW}:${port}`;
  await eventually('the other server', () => isThere() || undefined);
  answer();
  await eventually('the reply', () => client.got() !== '' || undefined);
  client.socket.write('INCR a\r\n');
  await eventually('the next one', () => client.got().split('\r\n').length > 2 || undefined);
  assert.equal(client.got(), ':1\r\n:2\r\n');
  assert.deepEqual(
    fresh.asked.filter((words) => words !== 'PING'),
    ['INCR a'],
  );
  await eventually('the end of the connections', () => old.sockets.size === 0 || undefined);
});

const RESOLVED = { deadlineMs: 60_000 };

test('a name has its IPv4 addresses where it has both kinds, as through Envoy, and keeps them while it has none', async (t) => {
  const names = resolveTo(t, '::1');
  const { proxy, lines } = await proxyFor(t, planToServers({ kind: 'dns', name: 'servers', port: 1 }));
  const addresses = (): string => (proxy.status()[0]?.nodes ?? []).map(({ address }) => address).join();
  const become = (wanted: string): Promise<unknown> =>
    eventually(wanted, () => addresses() === wanted || undefined, { ...RESOLVED, seen: addresses });
  await become('[::1]:1');
  names.addresses = ['::1', '127.0.0.41'];
  await become('127.0.0.41:1');
  names.addresses = [];
  const told = (): readonly string[] => lines.filter((line) => line.includes('those before stay'));
  await eventually('a warning', () => told().length > 0 || undefined, RESOLVED);
  assert.match(told().join(), /servers has no address \(ENOTFOUND\); those before stay/);
  assert.equal(addresses(), '127.0.0.41:1');
  names.addresses = ['127.0.0.42', '127.0.0.41'];
  await become('127.0.0.42:1,127.0.0.41:1');
  assert.equal(told().length, 1);
});
