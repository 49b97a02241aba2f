/** Replicas that join, and replicas that come back with nothing or with old data, under load through the proxy. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import { pino } from 'pino';

import type { ReadPolicy } from '../../src/api/objects.ts';
import { SecretText } from '../../src/api/secret-text.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { RedisCluster, type ClusterNode } from '../../src/demo/redis-cluster.ts';
import type { Upstream } from '../../src/plan/routing-plan.ts';
import type { Proxy } from '../../src/proxy/proxy.ts';
import { allowFor } from './busy-machine.ts';
import { needRedis } from './environment.ts';
import { SteadyLoad } from './proxy-load.ts';
import { client, clusterPlan, portsOf, startProxy } from './proxy-setting.ts';

test('a replica that joins takes its share within 2 s after CLUSTER SLOTS lists it', async (t) => {
  const redis = await needRedis(t);
  if (redis === undefined) return;
  const cluster = await RedisCluster.start({ redis, shards: 1, replicas: 1 });
  t.after(() => cluster.stop());
  const [shard] = await cluster.shards();
  const former = shard?.replicas[0] ?? 0;
  // A slow read would be asked of the other replica too.
  const proxy = await startProxy(t, clusterPlan(cluster, 'REPLICA'), { hedgeAfterMs: 60_000 });
  const load = await SteadyLoad.start(portsOf(proxy)[0] ?? 0, { readsPerSecond: 200, writesPerSecond: 20 });
  t.after(() => load.stop());

  const joined = await cluster.addReplica(0);
  const everybody = cluster.nodes.map(({ client: node }) => node);
  await eventually('CLUSTER SLOTS of every node listing it', async () => {
    const lists = await Promise.all(everybody.map((node) => node.cluster('SLOTS')));
    return lists.every((list) => JSON.stringify(list).includes(`,${joined.port},`)) ? true : undefined;
  });
  const listedAt = performance.now();
  await eventually('its first read', () => (readsOf(proxy, joined.port) > 0 ? true : undefined), {
    everyMs: 5,
  });
  const tookMs = performance.now() - listedAt;
  t.diagnostic(`its first read after ${tookMs.toFixed(0)} ms`);
  assert.ok(tookMs < allowFor(2_000), `its first read came after ${tookMs.toFixed(0)} ms`);

  const before = [readsOf(proxy, joined.port), readsOf(proxy, former)];
  await eventually('some more reads', () =>
    readsOf(proxy, joined.port) > (before[0] ?? 0) + 100 ? true : undefined,
  );
  const [own = 0, other = 0] = [readsOf(proxy, joined.port), readsOf(proxy, former)].map(
    (reads, index) => reads - (before[index] ?? 0),
  );
  assert.ok(own / (own + other) > 0.45 && own / (own + other) < 0.55, `${own} of ${own + other} reads`);
  load.pause();
  const reads = await load.finished('read');
  assert.deepEqual(
    reads.filter(({ error }) => error !== undefined),
    [],
  );
});

test('where an ACL denies INFO, replicas are read from, and the log says what that costs', async (t) => {
  const redis = await needRedis(t);
  if (redis === undefined) return;
  const cluster = await RedisCluster.start({ redis, shards: 1, replicas: 1 });
  t.after(() => cluster.stop());
  const rules = ['RESETKEYS', '~*', '&*', '+@all', '-info', 'on', '>secret'];
  for (const { client: node } of cluster.nodes) await node.call('ACL', 'SETUSER', 'proxy', ...rules);
  const plan = clusterPlan(cluster, 'REPLICA');
  const credentials = { username: 'proxy', password: new SecretText('secret') };
  const upstreams = [...plan.upstreams].map(([id, upstream]): [string, Upstream] => [
    id,
    upstream.mode === 'cluster' ? { ...upstream, credentials } : upstream,
  ]);
  const lines: string[] = [];
  const log = pino({}, { write: (line) => void lines.push(line) });
  const proxy = await startProxy(t, { ...plan, upstreams: new Map(upstreams) }, { log, maxLagMs: 1_000 });
  const through = client(t, portsOf(proxy)[0] ?? 0, { enableReadyCheck: false });
  await assert.rejects(through.info(), /NOPERM/);
  await through.set('k', 'v');
  await cluster.replicated();
  assert.equal(await through.get('k'), 'v');
  assert.equal(
    lines.filter((line) => line.includes('does not answer INFO replication, so --max-lag does not hold'))
      .length,
    1,
  );
});

function readsOf(proxy: Proxy, port: number): number {
  const nodes = proxy.status().flatMap((upstream) => upstream.nodes);
  return nodes.find(({ address }) => address.endsWith(`:${port}`))?.reads ?? 0;
}

const POLICIES: readonly ReadPolicy[] = ['REPLICA', 'PREFER_REPLICA', 'ANY'];

for (const from of ['path', 'wheel'] as const) {
  test(`replicas come back empty and with old data (server from the ${from}): nobody reads that`, async (t) => {
    const redis = await needRedis(t, from);
    if (redis === undefined) return;
    const cluster = await RedisCluster.start({
      redis,
      shards: 1,
      replicas: 3,
      config: {
        // As by default, if shorter: the primary waits before it starts to copy, and the replica answers meanwhile.
        'repl-diskless-sync-delay': '2',
        // So little that it has to be copied as a whole.
        'repl-backlog-size': '16384',
      },
    });
    t.after(() => cluster.stop());
    const [shard] = await cluster.shards();
    const [empty, old] = (shard?.replicas ?? []).map((port) => cluster.node(port));
    const primary = cluster.node(shard?.primary ?? 0);
    assert.ok(empty && old);
    await keep(primary, old, 'old');
    const loads: [ReadPolicy, SteadyLoad][] = [];
    const proxies: Proxy[] = [];
    for (const policy of POLICIES) {
      const proxy = await startProxy(t, clusterPlan(cluster, policy));
      proxies.push(proxy);
      const [port = 0] = portsOf(proxy);
      loads.push([policy, await SteadyLoad.start(port, { readsPerSecond: 150, writesPerSecond: 30 })]);
    }
    t.after(() => {
      for (const [, load] of loads) load.stop();
    });
    await primary.client.set('filling', 'x'.repeat(100_000));

    await Promise.all([empty, old].map((node) => cluster.kill(node)));
    const said = await Promise.all(
      [empty, old].map(async (node) => await saidBy(t, await cluster.restart(node))),
    );
    const reads = (): number[] =>
      proxies.flatMap((proxy) => [empty, old].map(({ port }) => readsOf(proxy, port)));
    const before = reads();
    // Counted from nothing where a node was out of the map.
    await eventually(
      'all proxies reading from them again',
      () => reads().every((count, which) => count > 0 && count !== before[which]) || undefined,
    );
    await Promise.all(loads.map(([, load]) => load.more(100)));
    for (const [, load] of loads) load.pause();
    assert.deepEqual(
      said.map((values) => values.size > 1),
      [true, true],
      'they never said anything wrong',
    );
    for (const [policy, load] of loads) {
      await t.test(policy, async () => {
        for (const kind of ['read', 'write'] as const) {
          const sent = await load.finished(kind);
          assert.ok(sent.length > 30, `${sent.length}`);
          assert.deepEqual(
            sent.filter(({ error }) => error !== undefined),
            [],
          );
        }
      });
    }
  });
}

/** What a replica says of a key until it has copied everything. */
async function saidBy(t: TestContext, { port }: ClusterNode): Promise<ReadonlySet<string | null>> {
  const said = new Set<string | null>();
  const direct = client(t, port, { protocol: 2, enableReadyCheck: false });
  await direct.call('READONLY');
  await eventually(
    'the replica having everything',
    async () => {
      said.add(await direct.get('key:1'));
      return said.has('of 1') ? true : undefined;
    },
    { deadlineMs: 30_000 },
  );
  return said;
}

/** Old values in the replica's file. */
async function keep(primary: ClusterNode, replica: ClusterNode, value: string): Promise<void> {
  for (let index = 0; index < 300; index++) await primary.client.set(`key:${index}`, value);
  const direct = replica.client;
  await direct.call('READONLY');
  await eventually('the replica having it', async () =>
    (await direct.get('key:299')) === value ? true : undefined,
  );
  await direct.call('SAVE');
}
