/**
 * CLIENT TRACKING before real servers: what is said to whom, and when.
 */
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { test, type TestContext } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import type { RedisNode } from '../../src/demo/redis-node.ts';
import type { Listener, ProxyUpstream, RoutingPlan } from '../../src/plan/routing-plan.ts';
import { CachingClient } from './caching-client.ts';
import { BUSY, planTo, proxyFor, serverThat } from '../proxy/servers.ts';
import { portsOf, startProxy } from './proxy-setting.ts';
import { catchAll, readsFrom, servers, startListener, startServers } from './proxy-servers.ts';

async function setUp(
  t: TestContext,
  change: (listener: Listener) => Partial<Listener> = () => catchAll('s'),
): Promise<{ readonly port: number; readonly server: RedisNode } | undefined> {
  const [server] = (await startServers(t, 1)) ?? [];
  if (server === undefined) return undefined;
  return { port: await startListener(t, [servers('s', [server])], change), server };
}

async function until(what: string, isSo: () => boolean): Promise<void> {
  await eventually(what, () => (isSo() ? true : undefined));
}

/** `a:` and `B:` cut off, `c:` kept, all to the same server. */
function prefixes(caseInsensitive: boolean): (listener: Listener) => Partial<Listener> {
  const route = { upstream: 's', reads: undefined, mirrors: [] };
  const routes = {
    prefixes: [
      { ...route, prefix: 'a:', removePrefix: true },
      { ...route, prefix: 'B:', removePrefix: true },
      { ...route, prefix: 'c:', removePrefix: false },
    ],
    catchAll: undefined,
    caseInsensitive,
  };
  return () => ({ routes });
}

test('it answers as Redis does', async (t) => {
  const setting = await setUp(t);
  if (setting === undefined) return;
  const { port, server } = setting;
  const talks: readonly (readonly string[])[] = [
    ['TRACKING', 'TRACKING FOO', 'TRACKING ON FOO', 'TRACKING ON REDIRECT', 'TRACKING ON REDIRECT abc'],
    ['TRACKING ON PREFIX', 'TRACKING ON PREFIX a', 'TRACKING ON OPTIN OPTOUT', 'TRACKINGINFO', 'GETREDIR'],
    ['CACHING', 'CACHING YES', 'CACHING FOO', 'CACHING a b', 'GETREDIR x', 'TRACKINGINFO x', 'TRACKING OFF'],
    ['TRACKING ON', 'TRACKINGINFO', 'GETREDIR', 'CACHING YES', 'CACHING NO', 'CACHING FOO', 'TRACKING off'],
    ['TRACKING ON', 'TRACKING OFF FOO', 'TRACKINGINFO', 'TRACKING OFF OPTIN BCAST', 'TRACKINGINFO'],
    ['TRACKING ON OPTIN noloop', 'TRACKINGINFO', 'CACHING NO', 'CACHING YES', 'TRACKING ON OPTOUT'],
    ['TRACKING ON OPTOUT', 'TRACKINGINFO', 'CACHING YES', 'CACHING NO', 'TRACKING ON OPTIN', 'TRACKING ON'],
    ['TRACKING ON OPTIN', 'TRACKING ON', 'TRACKINGINFO', 'TRACKING ON OPTOUT NOLOOP', 'TRACKINGINFO'],
  ];
  for (const talk of talks) {
    const [through, direct] = await Promise.all([
      CachingClient.start(t, port, null),
      CachingClient.start(t, server.port, null),
    ]);
    for (const line of talk) {
      const words = ['CLIENT', ...line.split(' ')];
      const [answer, expected] = await Promise.all([through.ask(...words), direct.ask(...words)]);
      assert.deepEqual(answer, expected, `${line} of ${talk.join(', ')}`);
    }
  }
});

test('what it can`t do it refuses', async (t) => {
  const setting = await setUp(t);
  if (setting === undefined) return;
  const client = await CachingClient.start(t, setting.port, null);
  const refused = /^Error: ERR 'client\|tracking' is not carried out by this proxy: /;
  assert.match(String(await client.ask('CLIENT', 'TRACKING', 'ON', 'BCAST', 'PREFIX', 'a')), refused);
  assert.match(String(await client.ask('CLIENT', 'TRACKING', 'ON', 'REDIRECT', '1')), refused);
  await client.ask('HELLO', '2');
  assert.match(String(await client.ask('CLIENT', 'TRACKING', 'ON')), /HELLO 3/);
});

test('it ends with TRACKING OFF, RESET and HELLO 2, and nobody else`s', async (t) => {
  const setting = await setUp(t);
  if (setting === undefined) return;
  const { port, server } = setting;
  const other = await CachingClient.start(t, port);
  for (const end of [['CLIENT', 'TRACKING', 'OFF'], ['RESET'], ['HELLO', '2']]) {
    const client = await CachingClient.start(t, port);
    await client.ask(...end);
    await client.ask('HELLO', '3');
    await other.get('k');
    await client.get('k');
    other.told.clear();
    await server.client.set('k', end.join(' '));
    await until('the other one being told', () => other.told.has('k'));
    await client.ask('PING');
    assert.equal(client.told.size, 0);
  }
});

test('what was cut off the names is there again', async (t) => {
  const setting = await setUp(t, prefixes(false));
  if (setting === undefined) return;
  const { port, server } = setting;
  const client = await CachingClient.start(t, port);
  for (const key of ['a:k', 'B:k', 'c:k']) await client.get(key);
  await server.client.mset('k', 'new', 'c:k', 'new');
  await until('being told', () => client.told.has('c:k') && client.told.has('a:k'));
  assert.deepEqual([...client.told].toSorted(), ['B:c:k', 'B:k', 'a:c:k', 'a:k', 'c:k']);
});

test('where it is not known how it was written, everything is dropped', async (t) => {
  const setting = await setUp(t, prefixes(true));
  if (setting === undefined) return;
  const { port, server } = setting;
  const client = await CachingClient.start(t, port);
  await client.get('A:k');
  assert.equal(client.cache.size, 1);
  await server.client.set('k', 'new');
  await until('being told', () => client.cache.size === 0);
});

test('who waits for an element is told meanwhile', async (t) => {
  const setting = await setUp(t);
  if (setting === undefined) return;
  const { port, server } = setting;
  const client = await CachingClient.start(t, port);
  await client.get('k');
  void client.ask('BLPOP', 'list', '0');
  await until('waiting', () => true);
  await eventually('being blocked', async () =>
    /blocked_clients:1\r/.test(await server.client.info('clients')) ? true : undefined,
  );
  await server.client.set('k', 'new');
  await until('being told', () => client.told.has('k'));
});

test('what servers for reads say is told, and what a transaction has read', async (t) => {
  const started = await startServers(t, 2);
  const [primary, replica] = started ?? [];
  if (primary === undefined || replica === undefined) return;
  await replica.client.replicaof('127.0.0.1', primary.port);
  const port = await startListener(t, [servers('s', [primary]), readsFrom('r', [replica])], () =>
    catchAll('s', { reads: 'r' }),
  );
  const client = await CachingClient.start(t, port);
  // Of everything, while a replica has just come.
  await eventually('being told of each', async () => {
    await client.get('k');
    await client.getInTransaction('t');
    await primary.client.mset('k', 'new', 't', 'new');
    await until('having to ask again', () => client.cache.size === 0);
    return client.told.has('k') && client.told.has('t') ? true : undefined;
  });
});

test('a server that does not track closes the client, which is told why', async (t) => {
  const setting = await setUp(t);
  if (setting === undefined) return;
  const { port, server } = setting;
  await server.client.call('ACL', 'SETUSER', 'default', '-client|tracking');
  const client = await CachingClient.start(t, port);
  await client.get('k');
  await until('being closed', () => client.isClosed);
  assert.equal(client.cache.size, 0);
  await assert.rejects(CachingClient.start(t, port), /a server behind it answers: NOPERM/);
});

test('a connection that is lost drops everything', async (t) => {
  const setting = await setUp(t);
  if (setting === undefined) return;
  const { port, server } = setting;
  const client = await CachingClient.start(t, port);
  await client.get('k');
  const before = client.flushes;
  await server.client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
  await until('being told', () => client.flushes > before && client.cache.size === 0);
});

for (const [what, commands] of [
  ['waits for an element', ['BLPOP list 0']],
  ['watches a key', ['WATCH k']],
  ['has written in a transaction', ['MULTI', 'SET x y']],
] as const) {
  test(`one that ${what}, and goes, takes nothing from others`, async (t) => {
    const setting = await setUp(t);
    if (setting === undefined) return;
    const { port, server } = setting;
    const client = await CachingClient.start(t, port);
    await client.get('k');
    const other = await CachingClient.start(t, port);
    for (const command of commands) other.send(command.split(' '), () => {});
    const last = commands.at(-1)?.split(' ')[0]?.toLowerCase();
    const idOfIts = async (): Promise<string | undefined> =>
      new RegExp(`^id=(\\d+) .* cmd=${last} `, 'm').exec(String(await server.client.client('LIST')))?.[1];
    const id = await eventually('its connection', idOfIts);
    other.close();
    await eventually('the end of that', async () => ((await idOfIts()) === id ? undefined : true));
    await client.ask('PING');
    assert.deepEqual([client.flushes, client.cache.has('k')], [0, true]);
  });
}

test('other servers, or another route, drop everything', async (t) => {
  const [a, b] = (await startServers(t, 2)) ?? [];
  if (a === undefined || b === undefined) return;
  const listenersTo = (upstream: string): RoutingPlan['listeners'] =>
    planTo(1).listeners.map(({ bind, listener }) => ({
      bind,
      listener: { ...listener, ...catchAll(upstream) },
    }));
  const plan = (upstreams: readonly ProxyUpstream[], listeners: RoutingPlan['listeners']): RoutingPlan => ({
    upstreams: new Map(upstreams.map((each) => [each.id, each])),
    listeners,
  });
  const toOther = listenersTo('other');
  const [one, other] = [servers('one', [a]), servers('other', [b])];
  const proxy = await startProxy(t, plan([one, other], listenersTo('one')));
  const client = await CachingClient.start(t, portsOf(proxy)[0] ?? 0);
  for (const upstreams of [
    [one, other],
    [one, servers('other', [a, b])],
  ]) {
    await client.mget(['k', 'l', 'm']);
    const before = client.flushes;
    await proxy.update(plan(upstreams, toOther));
    await until('being told', () => client.flushes > before && client.cache.size === 0);
  }
  // And hears of the others from now on.
  await client.mget(['k', 'l', 'm']);
  for (const { client: direct } of [a, b]) await direct.mset('k', 'new', 'l', 'new', 'm', 'new');
  await until('being told of all', () => client.cache.size === 0);
});

test('what a former upstream still answers, when others have taken its place, is answered', async (t) => {
  const server = await serverThat(t, (words, socket) => {
    if (words === 'GET k') return void setTimeout(() => socket.write('$1\r\nv\r\n'), 500);
    return words === 'PING' ? '+PONG\r\n' : '+OK\r\n';
  });
  const plan = planTo(server.port);
  const { proxy, port } = await proxyFor(t, plan);
  const client = await CachingClient.start(t, port);
  const asked = client.get('k');
  await until('being asked', () => server.asked.includes('GET k'));
  const upstreams = [...plan.upstreams].map(([id, each]) => [id, { ...each, connectTimeoutMs: 99 }] as const);
  await proxy.update({ ...plan, upstreams: new Map(upstreams) });
  await asked;
  await client.ask('PING');
  assert.equal(client.cache.size, 0);
});

test('a server that is busy disconnects nobody, and is asked to track again', async (t) => {
  let isBusy = false;
  let times = 0;
  const server = await serverThat(t, (words) => {
    if (words.startsWith('HELLO')) return '%0\r\n';
    // Not before: who is found busy is not connected to.
    if (words === 'CLIENT TRACKING ON' && (times += 1) === 1) isBusy = true;
    if (isBusy) return BUSY;
    if (words === 'GET k') return '$1\r\nv\r\n';
    return words === 'PING' ? '+PONG\r\n' : '+OK\r\n';
  });
  const { port } = await proxyFor(t, planTo(server.port));
  const client = await CachingClient.start(t, port);
  const asked = client.get('k');
  await until('being asked to track', () => times > 0);
  isBusy = false;
  await asked;
  await eventually('being answered', async () => {
    await client.get('k');
    return client.cache.get('k') === 'v' ? true : undefined;
  });
  assert.ok(times > 1 && !client.isClosed);
});

for (const [name, read] of [
  ['that clients share', (client: CachingClient) => client.get('k')],
  ['that a transaction has left', (client: CachingClient) => client.getInTransaction('k')],
] as const) {
  test(`a connection ${name}, and that has gone without a word, drops everything`, async (t) => {
    const silent = new Set<Socket>();
    const tracked = new Set<Socket>();
    const server = await serverThat(t, (words, socket) => {
      if (silent.has(socket)) return undefined;
      if (words.startsWith('CLIENT TRACKING')) tracked.add(socket);
      if (words === 'EXEC') return '*2\r\n:-1\r\n$1\r\nv\r\n';
      if (words === 'GET k') return '$1\r\nv\r\n';
      return words === 'PING' ? '+PONG\r\n' : '+OK\r\n';
    });
    const { port } = await proxyFor(t, planTo(server.port), { hedgeAfterMs: 200 });
    const client = await CachingClient.start(t, port);
    await read(client);
    assert.equal(client.cache.get('k'), 'v');
    for (const socket of tracked) silent.add(socket);
    await until('being told', () => client.cache.size === 0);
    assert.ok(client.flushes > 0 && !client.isClosed);
  });
}

test('once nobody tracks any more, nothing of it is left at the server', async (t) => {
  const setting = await setUp(t);
  if (setting === undefined) return;
  const { port, server } = setting;
  const client = await CachingClient.start(t, port);
  await client.get('k');
  const count = async (): Promise<number> =>
    Number(/tracking_clients:(\d+)/.exec(await server.client.info('clients'))?.[1]);
  assert.equal(await count(), 1);
  await client.ask('RESET');
  await eventually('its connection being closed', async () => ((await count()) === 0 ? true : undefined));
  assert.equal(await client.ask('PING'), 'PONG');
});
