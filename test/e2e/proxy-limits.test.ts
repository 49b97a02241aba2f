import assert from 'node:assert/strict';
import { createServer, type AddressInfo } from 'node:net';
import { test } from 'node:test';

import { Registry } from 'prom-client';

import { eventually } from '../../src/demo/eventually.ts';
import type { Listener, ProxyUpstream } from '../../src/plan/routing-plan.ts';
import { createProxyMetrics } from '../../src/proxy/proxy-metrics.ts';
import { client, portsOf, startProxy } from './proxy-setting.ts';
import { catchAll, readsFrom, servers, startListener, startServers } from './proxy-servers.ts';
import { answerOf } from './sidecar.ts';
import { planTo } from '../proxy/servers.ts';

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
  assert.equal(await third.get('shared'), 'made');
  await third.rpush('list', 'one');
  assert.deepEqual(await Promise.any(waiting), ['list', 'one']);
  await eventually('the turn of the other', async () =>
    (await node.client.info('clients')).includes('blocked_clients:1') ? true : undefined,
  );
  const late = client(t, port);
  const refused = [late.blpop('list', 0), client(t, port).watch('k')];
  for (const reply of await Promise.all(refused.map(answerOf))) {
    assert.match(String(reply), /max number of connections to Redis/);
  }
  await late.call('MULTI');
  const queued = late.call('SET', 'k', 'v');
  await third.rpush('list', 'two');
  assert.equal(await queued, 'QUEUED');
  assert.deepEqual(await late.call('EXEC'), ['OK']);
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
  const plan = planTo(nodes[0]?.port ?? 0);
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

test('who sends longer arguments than its server takes is the only one to get an error for them', async (t) => {
  const nodes = await startServers(t, 1);
  const [node] = nodes ?? [];
  if (node === undefined) return;
  await node.client.config('SET', 'proto-max-bulk-len', '1048576');
  const port = await startListener(t, [servers('a', [node])], () => catchAll('a'), {
    failoverWaitMs: 20_000,
  });
  const [greedy, other] = [client(t, port), client(t, port)];
  const counted: Promise<number>[] = [];
  for (let round = 0; round < 5; round++) {
    await other.get('k');
    const refused = answerOf(greedy.set('k', Buffer.alloc(3_000_000)));
    for (let count = 0; count < 100; count++) counted.push(other.incr('count'));
    assert.match(String(await refused), /Protocol error: invalid bulk length/);
  }
  const counts = await Promise.all(counted);
  assert.deepEqual(
    counts,
    counts.map((_, index) => index + 1),
  );
});
