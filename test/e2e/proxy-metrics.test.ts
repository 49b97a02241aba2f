/**
 * What `/metrics` counts, where it is seen to have happened.
 */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import { Registry } from 'prom-client';

import { eventually } from '../../src/demo/eventually.ts';
import { RedisCluster, type ClusterNode, type Shard } from '../../src/demo/redis-cluster.ts';
import { createProxyMetrics } from '../../src/proxy/proxy-metrics.ts';
import { slotOf } from '../../src/redis/slots.ts';
import { needRedis } from './environment.ts';
import { client, clusterPlan, portsOf, startProxy } from './proxy-setting.ts';

const EVENTS = 'redpilot_proxy_events_total';

/** Sum of the series whose labels include these. */
type Measure = (name: string, labels?: Readonly<Record<string, string>>) => Promise<number>;

/** A client that is connected, of a proxy that has asked every node how it is. */
async function proxyBefore(t: TestContext, cluster: RedisCluster, hedgeAfterMs = 60_000) {
  const proxy = await startProxy(t, clusterPlan(cluster, 'PREFER_REPLICA'), { hedgeAfterMs });
  const through = client(t, portsOf(proxy)[0] ?? 0);
  await through.ping();
  await eventually('every node being fit', () => {
    const nodes = proxy.status()[0]?.nodes ?? [];
    return (
      (nodes.length === cluster.nodes.length && nodes.every(({ state }) => state === 'fit')) || undefined
    );
  });
  const registry = new Registry();
  createProxyMetrics(registry, proxy);
  const measure: Measure = async (name, labels = {}) => {
    const lines = (await registry.metrics()).split('\n').filter((line) => line.startsWith(`${name}{`));
    const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
    return lines
      .filter((line) => wanted.every((text) => line.includes(text)))
      .reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
  };
  return { through, measure };
}

test('metrics of the proxy', async (t) => {
  const redis = await needRedis(t);
  if (redis === undefined) return;
  const cluster = await RedisCluster.start({ redis, shards: 2, replicas: 1, nodeTimeoutMs: 30_000 });
  t.after(() => cluster.stop());
  const [a, b] = await cluster.shards();
  assert.ok(a && b);
  const [primary, replica, other] = [a.primary, a.replicas[0] ?? 0, b.primary].map((port) =>
    cluster.node(port),
  );
  assert.ok(primary && replica && other);
  const key = keyOf(a);
  const { through, measure } = await proxyBefore(t, cluster);
  const of = ({ port }: ClusterNode): { readonly node: string } => ({ node: `127.0.0.1:${port}` });

  await t.test(
    'reply times by node: a reply is in the bucket of its time and in all longer ones',
    async () => {
      const counts = async (node: ClusterNode): Promise<number[]> =>
        await Promise.all(
          ['0.001', '0.256', '+Inf'].map((le) =>
            measure('redpilot_proxy_node_reply_seconds_bucket', { ...of(node), le }),
          ),
        );
      const before = await Promise.all([counts(primary), counts(replica)]);
      await primary.client.call('CLIENT', 'PAUSE', '300', 'ALL');
      await through.set(key, 'v');
      const after = await Promise.all([counts(primary), counts(replica)]);
      const more = after.map((now, which) => now.map((count, at) => count - before[which]![at]!));
      assert.deepEqual(more, [
        [0, 0, 1],
        [0, 0, 0],
      ]);
    },
  );

  await t.test('reads and writes by node and role', async () => {
    const name = 'redpilot_proxy_node_commands_total';
    const counts = async (): Promise<number[]> =>
      await Promise.all([
        measure(name, { ...of(replica), role: 'replica', type: 'read' }),
        measure(name, { ...of(primary), role: 'primary', type: 'write' }),
        measure(name),
      ]);
    const [reads = 0, writes = 0, all = 0] = await counts();
    await through.set(key, 'v');
    for (let count = 0; count < 2; count++) await through.get(key);
    assert.deepEqual(await counts(), [reads + 2, writes + 1, all + 3]);
  });

  await t.test('error replies by node, role and type', async () => {
    const counts = async (): Promise<number[]> =>
      await Promise.all(
        ['read', 'write'].flatMap((type) => [
          measure('redpilot_proxy_node_errors_total', { ...of(replica), role: 'replica', type }),
          measure('redpilot_proxy_node_errors_total', { ...of(primary), role: 'primary', type }),
        ]),
      );
    const before = await counts();
    await through.set(key, 'v');
    await cluster.replicated();
    await assert.rejects(through.llen(key), /WRONGTYPE/);
    for (let count = 0; count < 2; count++) await assert.rejects(through.lpush(key, 'v'), /WRONGTYPE/);
    const after = await counts();
    assert.deepEqual(
      after.map((count, which) => count - before[which]!),
      [1, 0, 0, 2],
    );
  });

  await t.test('hedges', async (t2) => {
    const hasty = await proxyBefore(t2, cluster, 200);
    // It may have been passed by, on a busy machine.
    await eventually('a hedge', async () => {
      replica.process.signal('SIGSTOP');
      await hasty.through.get(key);
      replica.process.signal('SIGCONT');
      return (await hasty.measure(EVENTS, { event: 'hedged' })) > 0 || undefined;
    });
  });

  await t.test('retries', async () => {
    const sent = (): Promise<number> => measure('redpilot_proxy_node_commands_total', of(replica));
    const retried = (): Promise<number> => measure(EVENTS, { event: 'retried' });
    const before = [await sent(), await retried()];
    replica.process.signal('SIGSTOP');
    const answer = through.get(key);
    await eventually('the read', async () => (await sent()) > before[0]! || undefined);
    await cluster.kill(replica);
    await answer;
    assert.equal(await retried(), before[1]! + 1);
  });

  await t.test('redirections', async () => {
    const slot = String(slotIn(key));
    await through.del(key);
    await other.client.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', primary.id);
    await primary.client.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', other.id);
    const before = await measure(EVENTS, { event: 'redirected' });
    await through.set(key, 'v');
    assert.equal(await measure(EVENTS, { event: 'redirected' }), before + 1);
  });

  await t.test('the age of the topology', async () => {
    const age = (): Promise<number> => measure('redpilot_proxy_topology_age_seconds');
    const alive = cluster.nodes.filter(({ process }) => process.isRunning());
    for (const { process } of alive) process.signal('SIGSTOP');
    await eventually('an old one', async () => (await age()) > 2 || undefined);
    for (const { process } of alive) process.signal('SIGCONT');
    await eventually('a new one', async () => (await age()) < 2 || undefined);
  });
});

/** A key of the shard. */
function keyOf({ slots }: Shard): string {
  for (let number = 0; ; number++) {
    const slot = slotIn(`k${number}`);
    if (slots.some(([first, last]) => first <= slot && slot <= last)) return `k${number}`;
  }
}

function slotIn(key: string): number {
  return slotOf(Buffer.from(key), 0, key.length);
}
