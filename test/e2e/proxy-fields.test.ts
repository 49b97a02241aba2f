import assert from 'node:assert/strict';
import { createServer, type AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';

import { Registry } from 'prom-client';

import { removeFolder, temporaryFolder } from '../../src/demo/child-process.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { startRedis, stopRedis, type RedisNode } from '../../src/demo/redis-node.ts';
import type { Listener, ProxyUpstream, ReadsUpstream, Upstream } from '../../src/plan/routing-plan.ts';
import { planSingleUpstream } from '../../src/plan/single-upstream.ts';
import { createProxyMetrics } from '../../src/proxy/proxy-metrics.ts';
import type { ProxyOptions } from '../../src/proxy/proxy.ts';
import { needRedis } from './environment.ts';
import { client, portsOf, startProxy } from './proxy-setting.ts';
import { answerOf } from './sidecar.ts';

async function startServers(t: TestContext, count: number): Promise<readonly RedisNode[] | undefined> {
  const redis = await needRedis(t);
  if (redis === undefined) return undefined;
  const folder = await temporaryFolder('servers');
  t.after(() => removeFolder(folder));
  const servers = await Promise.all(
    Array.from({ length: count }, () => startRedis({ server: redis.server, folder })),
  );
  t.after(() => Promise.all(servers.map(stopRedis)));
  return servers;
}

function servers(id: string, nodes: readonly RedisNode[]): ProxyUpstream {
  const endpoints = nodes.map(({ port }, index) => ({
    address: '127.0.0.1',
    port,
    hashKey: `${id}-${index}`,
  }));
  return { ...BASE, id, mode: 'proxy', servers: { kind: 'endpoints', endpoints } };
}

function readsFrom(id: string, ...groups: readonly (readonly RedisNode[])[]): ReadsUpstream {
  const listed = groups.map((nodes) => [servers(id, nodes).servers]);
  return { ...BASE, id, mode: 'reads', groups: listed };
}

const BASE = {
  connectTimeoutMs: 500,
  credentials: undefined,
  tls: undefined,
  keepalive: undefined,
  maxConnections: undefined,
} as const;

/** One listener on a free port; `change` says what it has beyond the plainest. */
async function startListener(
  t: TestContext,
  upstreams: readonly Upstream[],
  change: (listener: Listener) => Partial<Listener>,
  options: Partial<ProxyOptions> = {},
): Promise<number> {
  const plan = planSingleUpstream({
    upstream: { address: '127.0.0.1', port: 1 },
    mode: 'proxy',
    readPolicy: 'MASTER',
    listen: { address: '127.0.0.1', port: 0 },
    clientPassword: undefined,
    upstreamPassword: undefined,
  });
  const proxy = await startProxy(
    t,
    {
      upstreams: new Map(upstreams.map((upstream) => [upstream.id, upstream])),
      listeners: plan.listeners.map(({ bind, listener }) => ({
        bind,
        listener: { ...listener, ...change(listener) },
      })),
    },
    options,
  );
  return portsOf(proxy)[0] ?? 0;
}

function catchAll(
  upstream: string,
  more: Partial<Listener['routes']['catchAll'] & object> = {},
): Partial<Listener> {
  return {
    routes: {
      prefixes: [],
      catchAll: { upstream, reads: undefined, mirrors: [], ...more },
      caseInsensitive: false,
    },
  };
}

test('keys are spread over plain servers, split commands too', async (t) => {
  const nodes = await startServers(t, 3);
  if (nodes === undefined) return;
  const through = client(t, await startListener(t, [servers('a', nodes)], () => catchAll('a')));
  const keys = Array.from({ length: 300 }, (_, index) => `key:${index}`);
  await through.mset(...keys.flatMap((key) => [key, key]));
  assert.deepEqual(await through.mget(...keys), keys);
  const sizes = await Promise.all(nodes.map(({ client: node }) => node.dbsize()));
  assert.equal(
    sizes.reduce((sum, size) => sum + size, 0),
    300,
  );
  assert.ok(Math.min(...sizes) > 50, `${sizes.join(', ')} keys`);
});

test('with hash tags, keys of one tag share a server', async (t) => {
  const nodes = await startServers(t, 2);
  if (nodes === undefined) return;
  const port = await startListener(t, [servers('a', nodes)], () => ({ ...catchAll('a'), hashTags: true }));
  const through = client(t, port);
  for (let index = 0; index < 20; index++) await through.set(`{tag}${index}`, 'x');
  const sizes = await Promise.all(nodes.map(({ client: node }) => node.dbsize()));
  assert.deepEqual(
    sizes.toSorted((a, b) => a - b),
    [0, 20],
  );
});

test('a mirror gets what it is to get, and its replies are nobody’s', async (t) => {
  const nodes = await startServers(t, 2);
  const [own, other] = nodes ?? [];
  if (own === undefined || other === undefined) return;
  const mirrors = [{ upstream: 'b', percentage: 100, excludeReads: true }];
  const port = await startListener(t, [servers('a', [own]), servers('b', [other])], () =>
    catchAll('a', { mirrors }),
  );
  const through = client(t, port);
  await through.set('k', 'v');
  await through.mset('x', '1', 'y', '2');
  await through.call('LPUSH', 'k', 'wrong type').catch(() => {});
  assert.equal(await through.get('k'), 'v');
  await eventually('the mirror having the writes', async () =>
    (await other.client.dbsize()) === 3 ? true : undefined,
  );
  const stats = await other.client.info('commandstats');
  assert.doesNotMatch(stats, /cmdstat_get:/);
});

test('half of the commands are mirrored where half are to be', async (t) => {
  const nodes = await startServers(t, 2);
  const [own, other] = nodes ?? [];
  if (own === undefined || other === undefined) return;
  const mirrors = [{ upstream: 'b', percentage: 50, excludeReads: false }];
  const port = await startListener(t, [servers('a', [own]), servers('b', [other])], () =>
    catchAll('a', { mirrors }),
  );
  const through = client(t, port);
  const batch = through.pipeline();
  for (let index = 0; index < 2_000; index++) batch.set(`k${index}`, 'v');
  await batch.exec();
  assert.equal(await own.client.dbsize(), 2_000);
  const mirrored = await eventually('the mirror having its share', async () => {
    const size = await other.client.dbsize();
    return size > 850 ? size : undefined;
  });
  assert.ok(mirrored < 1_150, `${mirrored} of 2,000`);
});

test('a mirror that is not there disturbs nobody', async (t) => {
  const nodes = await startServers(t, 1);
  if (nodes === undefined) return;
  const gone: ProxyUpstream = {
    ...servers('b', []),
    servers: { kind: 'endpoints', endpoints: [{ address: '127.0.0.1', port: 1, hashKey: 'x' }] },
  };
  const mirrors = [{ upstream: 'b', percentage: 100, excludeReads: false }];
  const through = client(
    t,
    await startListener(t, [servers('a', nodes), gone], () => catchAll('a', { mirrors })),
  );
  for (let index = 0; index < 200; index++) assert.equal(await through.set(`k${index}`, 'v'), 'OK');
});

test('reads go to the servers for reads, to the next group when the first has nobody', async (t) => {
  const nodes = await startServers(t, 3);
  const [primary, replica, spare] = nodes ?? [];
  if (primary === undefined || replica === undefined || spare === undefined) return;
  await replica.client.set('k', 'of the replica');
  await spare.client.set('k', 'of the spare');
  const port = await startListener(t, [servers('a', [primary]), readsFrom('r', [replica], [spare])], () =>
    catchAll('a', { reads: 'r' }),
  );
  const through = client(t, port);
  await through.set('k', 'of the primary');
  assert.equal(await through.get('k'), 'of the replica');
  assert.deepEqual(await through.mget('k', 'none'), ['of the replica', null]);
  assert.equal(await primary.client.get('k'), 'of the primary');
  await replica.process.stop();
  assert.equal(await through.get('k'), 'of the spare');
});

test('prefixes match without regard to case where that is asked for', async (t) => {
  const nodes = await startServers(t, 2);
  const [first, second] = nodes ?? [];
  if (first === undefined || second === undefined) return;
  const port = await startListener(t, [servers('a', [first]), servers('b', [second])], () => ({
    routes: {
      prefixes: [{ prefix: 'Ab:', upstream: 'b', removePrefix: true, reads: undefined, mirrors: [] }],
      catchAll: { upstream: 'a', reads: undefined, mirrors: [] },
      caseInsensitive: true,
    },
  }));
  const through = client(t, port);
  await through.mset('aB:Key', '1', 'a[:key', '2');
  assert.deepEqual(await second.client.keys('*'), ['Key']);
  assert.deepEqual(await first.client.keys('*'), ['a[:key']);
});

test('faults fail and delay what they name', async (t) => {
  const nodes = await startServers(t, 1);
  if (nodes === undefined) return;
  const port = await startListener(t, [servers('a', nodes)], () => ({
    ...catchAll('a'),
    faults: [
      { type: 'ERROR', percentage: 100, delayMs: undefined, commands: ['get'] },
      { type: 'DELAY', percentage: 100, delayMs: 150, commands: ['strlen'] },
      { type: 'ERROR', percentage: 100, delayMs: 150, commands: ['ttl'] },
    ],
  }));
  const through = client(t, port);
  await through.set('k', 'value');
  const timed = async (command: Promise<unknown>): Promise<[unknown, boolean]> => {
    const started = performance.now();
    return [await answerOf(command), performance.now() - started > 140];
  };
  const all = await Promise.all([
    timed(through.get('k')),
    timed(through.strlen('k')),
    timed(through.ttl('k')),
    through.exists('k'),
    timed(through.ping()),
  ]);
  assert.deepEqual(all[0], ['Fault Injected: Error', false]);
  assert.deepEqual(all[1], [5, true]);
  assert.deepEqual(all[2], ['Fault Injected: Error', true]);
});

test('clients that need a connection of their own keep to the maximum', async (t) => {
  const nodes = await startServers(t, 1);
  const [node] = nodes ?? [];
  if (node === undefined) return;
  // One that all clients share, and one more.
  const limited = { ...servers('a', [node]), maxConnections: 2 };
  const port = await startListener(t, [limited], () => catchAll('a'), { failoverWaitMs: 2_000 });
  const [first, second, third] = [client(t, port), client(t, port), client(t, port)];
  await third.set('shared', 'made');
  const waiting = [first.blpop('list', 0), second.blpop('list', 0)];
  // One of them waits on when the test is over.
  for (const each of waiting) each.catch(() => {});
  await eventually('the connection of the first', async () =>
    (await node.client.info('clients')).includes('blocked_clients:1') ? true : undefined,
  );
  await third.call('MULTI');
  assert.match(String(await answerOf(third.call('SET', 'k', 'v'))), /max number of connections to Redis/);
  await third.call('DISCARD');
  assert.equal(await third.get('shared'), 'made');
  await third.rpush('list', 'one');
  assert.deepEqual(await Promise.any(waiting), ['list', 'one']);
  await eventually('the turn of the other', async () =>
    (await node.client.info('clients')).includes('blocked_clients:1') ? true : undefined,
  );
  const late = client(t, port);
  assert.match(String(await answerOf(late.blpop('list', 0))), /max number of connections to Redis/);
});

test('opTimeout holds below the time after which a read is hedged', async (t) => {
  const nodes = await startServers(t, 1);
  const [node] = nodes ?? [];
  if (node === undefined) return;
  const change = (): Partial<Listener> => ({ ...catchAll('a'), opTimeoutMs: 100 });
  const through = client(
    t,
    await startListener(t, [servers('a', nodes ?? [])], change, { hedgeAfterMs: 10_000 }),
  );
  await through.set('k', 'v');
  await node.client.call('CLIENT', 'PAUSE', '4000', 'ALL');
  assert.equal(await answerOf(through.get('k')), 'upstream failure');
});

test('opTimeout holds for a read that two silent nodes were asked', async (t) => {
  const nodes = await startServers(t, 3);
  const [primary, ...replicas] = nodes ?? [];
  if (primary === undefined) return;
  const change = (): Partial<Listener> => ({ ...catchAll('a', { reads: 'r' }), opTimeoutMs: 1_000 });
  const upstreams = [servers('a', [primary]), readsFrom('r', replicas)];
  const through = client(t, await startListener(t, upstreams, change, { hedgeAfterMs: 100 }));
  await through.get('k');
  for (const { client: node } of replicas) await node.call('CLIENT', 'PAUSE', '8000', 'ALL');
  assert.equal(await answerOf(through.get('k')), 'upstream failure');
});

test('connectTimeout holds: a server that accepts and does not shake hands', async (t) => {
  const accepting = createServer((socket) => socket.on('error', () => {}));
  await new Promise<void>((resolve) => {
    accepting.listen(0, '127.0.0.1', () => resolve());
  });
  t.after(() => accepting.close());
  const { port } = accepting.address() as AddressInfo;
  const silent: ProxyUpstream = {
    ...servers('a', []),
    connectTimeoutMs: 300,
    tls: { serverName: 'redis', skipVerification: true, authorities: undefined, certificate: undefined },
    servers: { kind: 'endpoints', endpoints: [{ address: '127.0.0.1', port, hashKey: 'x' }] },
  };
  const through = client(
    t,
    await startListener(t, [silent], () => catchAll('a'), { failoverWaitMs: 1_000, hedgeAfterMs: 20_000 }),
    { enableReadyCheck: false },
  );
  const asked = performance.now();
  assert.match(String(await answerOf(through.get('k'))), /upstream failure|no upstream host/);
  assert.ok(performance.now() - asked < 10_000);
});

test('with command statistics calls are counted by name, without them they are not', async (t) => {
  const nodes = await startServers(t, 1);
  if (nodes === undefined) return;
  const plan = planSingleUpstream({
    upstream: { address: '127.0.0.1', port: nodes[0]?.port ?? 0 },
    mode: 'proxy',
    readPolicy: 'MASTER',
    listen: { address: '127.0.0.1', port: 0 },
    clientPassword: undefined,
    upstreamPassword: undefined,
  });
  const proxy = await startProxy(t, plan);
  const registry = new Registry();
  createProxyMetrics(registry, proxy);
  const through = client(t, portsOf(proxy)[0] ?? 0);
  const calls = async (): Promise<number | undefined> => {
    const count = /redpilot_proxy_command_calls_total\{command="getrange"\} (\d+)/.exec(
      await registry.metrics(),
    )?.[1];
    return count === undefined ? undefined : Number(count);
  };
  await through.getrange('k', 0, 1);
  assert.equal(await calls(), undefined);
  const [bound] = plan.listeners;
  assert.ok(bound);
  const counting = { ...bound, listener: { ...bound.listener, commandStats: true } };
  await proxy.update({ ...plan, listeners: [counting] });
  const before = (await calls()) ?? 0;
  for (let index = 0; index < 7; index++) await through.getrange('k', 0, 1);
  assert.equal(await calls(), before + 7);
});

test('an address that is taken costs its own listener only', async (t) => {
  const nodes = await startServers(t, 1);
  const [node] = nodes ?? [];
  if (node === undefined) return;
  const plan = planSingleUpstream({
    upstream: { address: '127.0.0.1', port: node.port },
    mode: 'proxy',
    readPolicy: 'MASTER',
    listen: { address: '127.0.0.1', port: 0 },
    clientPassword: undefined,
    upstreamPassword: undefined,
  });
  const proxy = await startProxy(t, plan);
  const [port = 0] = portsOf(proxy);
  const [first] = plan.listeners;
  assert.ok(first);
  const taken = { ...first, bind: { address: '127.0.0.1', port: node.port } };
  await assert.rejects(
    proxy.update({ ...plan, listeners: [taken, first] }),
    new RegExp(`127.0.0.1:${node.port} is in use by another process`),
  );
  assert.equal(await client(t, port).set('k', 'v'), 'OK');
});
