import assert from 'node:assert/strict';
import dns from 'node:dns/promises';
import { syncBuiltinESMExports } from 'node:module';
import type { Socket } from 'node:net';
import { test, type TestContext } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import type { RoutingPlan, Upstream } from '../../src/plan/routing-plan.ts';
import { maglevHost, maglevTable } from '../../src/redis/maglev.ts';
import { clientOf, planTo, proxyFor, serverThat } from './servers.ts';
import { planToServers, resolveTo } from './several-servers.ts';

const [DEAD, SILENT, OLD, NEW] = ['127.0.0.11', '127.0.0.12', '127.0.0.13', '127.0.0.14'];

/** A key, with a number in it, that each of two lists of servers has at the address said. */
function keyOf(
  port: number,
  ...places: readonly (readonly [addresses: readonly string[], at: string])[]
): string {
  for (let number = 0; ; number++) {
    const key = Buffer.from(`key:${number}`);
    const isAt = ([addresses, at]: (typeof places)[number]): boolean => {
      const table = maglevTable(addresses.map((address) => ({ text: `${address}:${port}`, weight: 1 })));
      return addresses[maglevHost(table, key, false)] === at;
    };
    if (places.every(isAt)) return key.toString();
  }
}

test('what waits for a server that went, or was under way to it, goes to the one that has its key now; transactions stay', async (t) => {
  const answer = (): string => '+OK\r\n';
  let refused = '';
  const isRefused = (words: string): boolean => refused !== '' && words === `SET ${refused} 1`;
  const old = await serverThat(
    t,
    (words) => (isRefused(words) ? '-TRYAGAIN Multiple keys request during rehashing of slot\r\n' : answer()),
    { host: OLD, port: 0 },
  );
  const { port } = old;
  const fresh = await serverThat(t, answer, { host: NEW, port });
  const silent = await serverThat(t, (words) => (words === 'PING' ? '+PONG\r\n' : undefined), {
    host: SILENT,
    port,
  });
  let addresses = [DEAD, SILENT, OLD];
  const before = addresses;
  const { lookup } = dns;
  const lookAt = async (): Promise<unknown> => addresses.map((address) => ({ address, family: 4 }));
  dns.lookup = lookAt as typeof lookup;
  syncBuiltinESMExports();
  t.after(() => {
    dns.lookup = lookup;
    syncBuiltinESMExports();
  });
  const plan = planTo(port);
  const byName = (upstream: Upstream): Upstream =>
    upstream.mode === 'proxy' ? { ...upstream, servers: { kind: 'dns', name: 'servers', port } } : upstream;
  const named: RoutingPlan = {
    ...plan,
    upstreams: new Map(Array.from(plan.upstreams, ([id, upstream]) => [id, byName(upstream)])),
  };
  const { port: through, proxy } = await proxyFor(t, named, { failoverWaitMs: 30_000 });
  await eventually('its servers', () => proxy.notReady() === undefined || undefined);
  const waiting = keyOf(port, [before, DEAD], [[OLD, NEW], NEW]);
  const underWay = keyOf(port, [before, SILENT], [[OLD, NEW], OLD]);
  const writer = clientOf(t, through);
  const reader = clientOf(t, through);
  writer.socket.write(`SET ${waiting} 1\r\n`);
  reader.socket.write(`GET ${underWay}\r\n`);
  await eventually('its being held', () => (proxy.status()[0]?.events['held'] ?? 0) > 0 || undefined);
  await eventually('the read', () => silent.asked.some((words) => words.startsWith('GET')) || undefined);
  const popper = clientOf(t, through);
  popper.socket.write(`BLPOP ${waiting} 0\r\n`);
  const stays = keyOf(port, [before, OLD], [[OLD, NEW], OLD]);
  const transaction = clientOf(t, through);
  transaction.socket.write(`MULTI\r\nSET ${stays} 1\r\n`);
  await eventually('its begin', () => old.asked.includes(`SET ${stays} 1`) || undefined);
  refused = keyOf(port, [before, OLD], [[OLD, NEW], NEW]);
  const beginner = clientOf(t, through);
  beginner.socket.write(`MULTI\r\nSET ${refused} 1\r\n`);
  await eventually('its refusal', () => old.asked.includes(`SET ${refused} 1`) || undefined);
  addresses = [OLD, NEW];
  const waiters = [writer, reader, popper];
  await eventually('the replies', () => waiters.every((each) => each.got() !== '') || undefined, {
    deadlineMs: 20_000,
  });
  transaction.socket.write(`SET ${stays} 2\r\n`);
  await eventually('the end', () => transaction.got().split('\r\n').length === 4 || undefined);
  await eventually('the other begin', () => beginner.got().split('\r\n').length === 3 || undefined);
  for (const each of [...waiters, transaction, beginner]) assert.match(each.got(), /^(?:\+OK\r\n)+$/);
  assert.ok(fresh.asked.includes(`SET ${refused} 1`));
  const commands = (asked: readonly string[]): readonly string[] =>
    asked.filter((words) => words !== 'PING' && words !== 'MULTI' && !isRefused(words));
  assert.deepEqual(
    [old, fresh].map(({ asked }) => commands(asked)),
    [
      [`SET ${stays} 1`, `GET ${underWay}`, `SET ${stays} 2`],
      [`SET ${waiting} 1`, `BLPOP ${waiting} 0`],
    ],
  );
});

/** Servers at these addresses, of which the first one says nothing to writes; `waiting`: those. */
async function serversOfWhichOneIsSilent(
  t: TestContext,
  [silent, ...others]: readonly [string, ...string[]],
) {
  const waiting: string[] = [];
  const sockets: Socket[] = [];
  const { port } = await serverThat(
    t,
    (words, socket) => {
      if (!/^(?:SET|RENAME)/.test(words)) return '+OK\r\n';
      waiting.push(words);
      sockets.push(socket);
      return undefined;
    },
    { host: silent, port: 0 },
  );
  const rest = await Promise.all(others.map((host) => serverThat(t, () => '+OK\r\n', { host, port })));
  return { port, waiting, sockets, others: rest };
}

for (const [what, behind] of [
  ['later ones', (key: string) => `SET ${key} 2`],
  ['one whose keys have parted', (key: string, other: string) => `RENAME ${key} ${other}`],
] as const) {
  test(`a write that its server refuses once another one has come is not carried out behind ${what}`, async (t) => {
    const { port, waiting, sockets } = await serversOfWhichOneIsSilent(t, [OLD, NEW]);
    const names = resolveTo(t, OLD);
    const { port: through, proxy } = await proxyFor(
      t,
      planToServers({ kind: 'dns', name: 'servers', port }),
      { failoverWaitMs: 30_000 },
    );
    await eventually('its servers', () => proxy.notReady() === undefined || undefined);
    const [key, other] = [OLD, NEW].map((address) => keyOf(port, [[OLD, NEW], address])) as [string, string];
    const client = clientOf(t, through);
    client.socket.write(`SET ${key} 1\r\n${behind(key, other)}\r\n`);
    await eventually('both', () => waiting.length === 2 || undefined);
    names.addresses = [OLD, NEW];
    await eventually('both servers', () => proxy.status()[0]?.nodes.length === 2 || undefined);
    sockets[0]!.write("-READONLY You can't write against a read only replica.\r\n+OK\r\n");
    await eventually('the replies', () => client.got().endsWith('\r\n+OK\r\n') || undefined, {
      seen: () => client.got(),
    });
    assert.match(client.got(), /^-READONLY/);
    assert.equal(waiting.length, 2);
  });
}

test('what is asked of the server that has a key now waits for the one that had it before', async (t) => {
  const { port, waiting, sockets, others } = await serversOfWhichOneIsSilent(t, [OLD, NEW]);
  const names = resolveTo(t, OLD);
  const plan = planToServers({ kind: 'dns', name: 'servers', port });
  const { port: through, proxy } = await proxyFor(t, plan, { failoverWaitMs: 30_000 });
  await eventually('its server', () => proxy.notReady() === undefined || undefined);
  const key = keyOf(port, [[OLD, NEW], NEW]);
  const client = clientOf(t, through);
  client.socket.write(`SET ${key} 1\r\n`);
  await eventually('the first one', () => waiting.length === 1 || undefined);
  names.addresses = [OLD, NEW];
  await eventually('both servers', () => proxy.status()[0]?.nodes.length === 2 || undefined);
  client.socket.write(`SET ${key} 2\r\n`);
  await eventually('its waiting', () => proxy.status()[0]?.events['held'] === 1 || undefined);
  const isAsked = (): boolean => others[0]!.asked.includes(`SET ${key} 2`);
  assert.ok(!isAsked());
  sockets[0]!.write('+OK\r\n');
  await eventually('both replies', () => client.got() === '+OK\r\n'.repeat(2) || undefined);
  assert.ok(isAsked());
});
