/**
 * What the log says where Redis is not what the proxy was told.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { test } from 'node:test';

import { freePorts } from '../../src/demo/child-process.ts';
import { eventually } from '../../src/demo/eventually.ts';
import type { RoutingPlan } from '../../src/plan/routing-plan.ts';
import { clientOf, proxyFor, serverThat, planTo } from './servers.ts';

function planFor(upstream: { address: string; port: number }, mode: 'cluster' | 'proxy'): RoutingPlan {
  return planTo(upstream.port, { upstream, mode });
}

const told = (lines: readonly string[], what: RegExp): number =>
  lines.filter((line) => what.test(line)).length;

const REFUSALS: readonly (readonly [refusal: string, remedy: RegExp])[] = [
  [
    'ERR This instance has cluster support disabled',
    /cluster support disabled; give --mode proxy, or mode: PROXY in its RedisDestination/,
  ],
  [
    'NOAUTH Authentication required.',
    /NOAUTH .*; give the password that it wants, and whose it is \(--upstream-password-file and --upstream-username/,
  ],
  [
    "NOPERM User app has no permissions to run the 'cluster|slots' command",
    /NOPERM .*; let its user run CLUSTER SLOTS/,
  ],
];
for (const [refusal, remedy] of REFUSALS) {
  test(`a Redis Cluster that answers "${refusal}": the log says what to do`, async (t) => {
    const { port } = await serverThat(t, () => `-${refusal}\r\n`);
    const { lines } = await proxyFor(t, planFor({ address: '127.0.0.1', port }, 'cluster'));
    await eventually('a warning', () => told(lines, remedy) > 0 || undefined, { seen: () => lines.join('') });
  });
}

for (const [what, begin, rest] of [
  ['never ends', '$1099511627776\r\n', 'x'.repeat(1_000_000)],
  ['has a list of all that there is', '*30000000\r\n'.repeat(5), ''],
] as const) {
  test(`a cluster's node whose answer ${what} costs little memory, and the log says why it is left out`, async (t) => {
    const sent = new Map<Socket, number>();
    const redis = await serverThat(t, (words, socket) => {
      if (words !== 'CLUSTER SLOTS') return '+OK\r\n';
      const more = (): void => {
        sent.set(socket, (sent.get(socket) ?? 0) + rest.length);
        if (socket.writable) socket.write(rest, 'latin1', () => setImmediate(more));
      };
      socket.write(begin, 'latin1', rest === '' ? undefined : more);
      return undefined;
    });
    const before = process.memoryUsage.rss();
    const { proxy, lines } = await proxyFor(
      t,
      planFor({ address: '127.0.0.1', port: redis.port }, 'cluster'),
    );
    const words = /nobody says what the cluster looks like .*it answers more than any Redis has to say/;
    await eventually('a warning', () => told(lines, words) > 0 || undefined, { seen: () => lines.join('') });
    assert.match(proxy.notReady() ?? '', words);
    for (const bytes of sent.values()) assert.ok(bytes < 100_000_000, `${bytes} bytes were sent`);
    const grown = process.memoryUsage.rss() - before;
    assert.ok(grown < 300_000_000, `grew by ${grown} bytes`);
  });
}

test('a node of a Redis Cluster that nobody has formed yet is told as such', async (t) => {
  const redis = await serverThat(t, (words) => (words === 'CLUSTER SLOTS' ? '*0\r\n' : '+OK\r\n'));
  const { lines } = await proxyFor(t, planFor({ address: '127.0.0.1', port: redis.port }, 'cluster'));
  const remedy = /no slot has an owner; form the cluster first/;
  await eventually('a warning', () => told(lines, remedy) > 0 || undefined, { seen: () => lines.join('') });
});

test('a node of a Redis Cluster that is taken for a plain server is told once', async (t) => {
  const answer = (words: string): string => (words === 'PING' ? '+PONG\r\n' : '-MOVED 15495 127.0.0.1:1\r\n');
  const redis = await serverThat(t, answer);
  const plan = planFor({ address: '127.0.0.1', port: redis.port }, 'proxy');
  const { port, proxy, lines } = await proxyFor(t, plan);
  await eventually('its server', () => proxy.notReady() === undefined || undefined);
  const client = clientOf(t, port);
  client.socket.write('GET a\r\nGET a\r\n');
  await eventually('both replies', () => client.got() === answer('GET a').repeat(2) || undefined);
  assert.equal(told(lines, /is a node of a Redis Cluster .*give --mode cluster/), 1);
});

test('a replica that is taken for a plain server is told once', async (t) => {
  const refusal = "-READONLY You can't write against a read only replica.\r\n";
  const redis = await serverThat(t, (words) => (words.startsWith('SET') ? refusal : '+PONG\r\n'));
  const plan = planFor({ address: '127.0.0.1', port: redis.port }, 'proxy');
  const { port, proxy, lines } = await proxyFor(t, plan, { failoverWaitMs: 300 });
  await eventually('its server', () => proxy.notReady() === undefined || undefined);
  const client = clientOf(t, port);
  client.socket.write('SET a 1\r\nSET a 2\r\n');
  await eventually('both replies', () => client.got() === refusal.repeat(2) || undefined, {
    seen: () => client.got(),
  });
  assert.equal(told(lines, /is a replica, so writes wait .*; give its primary with --upstream/), 1);
});

test('the name of plain servers that has no address is told', async (t) => {
  // Reserved for never being a host; some systems say so of it at once, others ask somebody.
  const { lines } = await proxyFor(t, planFor({ address: 'redis.invalid', port: 6379 }, 'proxy'));
  const warning = /redis\.invalid has no address \(E\w+\)/;
  await eventually('a warning', () => told(lines, warning) > 0 || undefined, { seen: () => lines.join('') });
});

test('a server that hangs up, as one that wants TLS does, is told once for each way in which it is noticed', async (t) => {
  let count = 0;
  // Now before something was asked, now after.
  const server = createServer((socket) => {
    socket.on('error', () => {});
    count += 1;
    if (count % 2 === 0) socket.resetAndDestroy();
    else socket.once('data', () => socket.resetAndDestroy());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const { lines } = await proxyFor(t, planFor({ address: '127.0.0.1', port }, 'cluster'));
  await eventually('many tries', () => count > 20 || undefined, { deadlineMs: 30_000 });
  const warnings = lines.flatMap(
    (line) => /nobody says what the cluster looks like .*(?=")/.exec(line) ?? [],
  );
  assert.ok(warnings.length > 0);
  assert.deepEqual(warnings, [...new Set(warnings)]);
});

test('a plain server that is not there is told with the reason, before a client asks for anything', async (t) => {
  const [port = 0] = await freePorts(1);
  const { lines } = await proxyFor(t, planFor({ address: '127.0.0.1', port }, 'proxy'));
  const warning = /gets no commands \(no connection: .*ECONNREFUSED/;
  await eventually('a warning', () => told(lines, warning) > 0 || undefined, { seen: () => lines.join('') });
});
