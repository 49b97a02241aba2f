import assert from 'node:assert/strict';
import { suite, test } from 'node:test';

import type { ReadPolicy } from '../../src/api/objects.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { RedisCluster, type ClusterNode } from '../../src/demo/redis-cluster.ts';
import { slotOf } from '../../src/redis/slots.ts';
import { needRedis } from './environment.ts';
import { SteadyLoad, type Sent } from './proxy-load.ts';
import { clusterPlan, portsOf, startProxy } from './proxy-setting.ts';

const POLICIES: readonly ReadPolicy[] = ['MASTER', 'PREFER_MASTER', 'REPLICA', 'PREFER_REPLICA', 'ANY'];

/** So much longer than without a fault may a read take. */
const SLOWER_BY_MS = 500;

/** Longer than a cluster takes for a new primary on the busiest machine. */
const PATIENCE = { failoverWaitMs: 60_000 };

/** How a primary goes, and how it comes back. */
const WAYS: readonly (readonly [name: string, go: NodeJS.Signals])[] = [
  ['killed', 'SIGKILL'],
  ['stopped', 'SIGSTOP'],
];

// The two servers at once: nearly all of the time passes until a node counts as dead.
suite('failover', { concurrency: true }, () => {
  for (const from of ['path', 'wheel'] as const) {
    suite(`server from the ${from}`, { concurrency: 1 }, () => {
      for (const [way, signal] of WAYS) {
        test(`a primary is ${way} (server from the ${from}): no read fails, writes go on`, async (t) => {
          const redis = await needRedis(t, from);
          if (redis === undefined) return;
          const cluster = await RedisCluster.start({
            redis,
            nodeTimeoutMs: 3_000,
            config: { 'cluster-require-full-coverage': 'no' },
          });
          t.after(() => cluster.stop());
          const loads: [ReadPolicy, SteadyLoad][] = [];
          for (const policy of POLICIES) {
            const [port = 0] = portsOf(await startProxy(t, clusterPlan(cluster, policy), PATIENCE));
            const load = await SteadyLoad.start(port, { readsPerSecond: 100, writesPerSecond: 20 });
            t.after(() => load.stop());
            loads.push([policy, load]);
          }
          await Promise.all(loads.map(([, load]) => load.more(100)));
          const [shard] = await cluster.shards();
          assert.ok(shard);
          const victim = cluster.node(shard.primary);
          const isTouched = ({ key, startedAt, tookMs }: Sent): boolean => {
            const slot = slotOf(Buffer.from(key), 0, key.length);
            return (
              startedAt + tookMs > before &&
              shard.slots.some(([first, last]) => first <= slot && slot <= last)
            );
          };
          const before = performance.now();
          victim.process.signal(signal);
          await promoted(cluster, victim);
          const after = performance.now();
          await followed(cluster, victim);
          // Writes among them that begin well after it.
          await Promise.all(loads.map(([, load]) => load.more(250)));
          for (const [, load] of loads) load.pause();
          for (const [policy, load] of loads) {
            await t.test(`${policy}: reads`, async () => {
              const reads = await load.finished('read');
              const failed = reads.filter(({ error }) => error !== undefined);
              assert.ok(reads.length > 300, `only ${reads.length} reads`);
              // A read of a stopped primary has `opTimeout`, too.
              if (policy !== 'MASTER' || way === 'killed') assert.deepEqual(failed, []);
              // There nobody else may be asked: it takes as long as the failover.
              if (policy === 'MASTER') return;
              // The other shards are without a fault, on the same machine at the same time.
              const [touched, others] = [reads.filter(isTouched), reads.filter((read) => !isTouched(read))];
              assert.ok(touched.length > 50 && others.length > 50);
              const slowest = Math.max(...others.map(({ tookMs }) => tookMs));
              const limit = slowest + SLOWER_BY_MS;
              assert.deepEqual(
                touched.filter(({ tookMs }) => tookMs > limit),
                [],
              );
            });
          }
          await t.test('writes fail only where the node that died may have carried them out', async () => {
            const writes = (await Promise.all(loads.map(([, load]) => load.finished('write')))).flat();
            const failed = writes.filter(({ error }) => error !== undefined);
            // What waited for the new primary has other words.
            assert.deepEqual(
              failed.filter(
                ({ error, startedAt }) => error !== 'upstream failure' || startedAt > after + 1_000,
              ),
              [],
            );
          });
          victim.process.signal('SIGCONT');
        });
      }

      test(`with full coverage required (server from the ${from}) reads wait, and none fails`, async (t) => {
        const redis = await needRedis(t, from);
        if (redis === undefined) return;
        const cluster = await RedisCluster.start({
          redis,
          config: { 'cluster-require-full-coverage': 'yes' },
        });
        t.after(() => cluster.stop());
        const [port = 0] = portsOf(await startProxy(t, clusterPlan(cluster, 'ANY'), PATIENCE));
        const load = await SteadyLoad.start(port, { readsPerSecond: 200, writesPerSecond: 20 });
        t.after(() => load.stop());
        const [shard] = await cluster.shards();
        assert.ok(shard);
        const victim = cluster.node(shard.primary);
        const before = performance.now();
        await cluster.kill(victim);
        await promoted(cluster, victim);
        await followed(cluster, victim);
        const took = performance.now() - before;
        await load.more(200);
        load.pause();
        const reads = await load.finished('read');
        assert.ok(reads.length > 500, `only ${reads.length} reads`);
        assert.deepEqual(
          reads.filter(({ error }) => error !== undefined),
          [],
        );
        const longest = Math.max(...reads.map(({ tookMs }) => tookMs));
        // An election that fails on a busy machine is held again after four node timeouts.
        assert.ok(longest < took + SLOWER_BY_MS, `a read took ${longest} ms, the failover ${took} ms`);
      });
    });
  }
});

/** Another node answers for its slots. */
async function promoted(cluster: RedisCluster, victim: ClusterNode): Promise<void> {
  const other = cluster.nodes.find((node) => node !== victim);
  await eventually('a new primary', async () => {
    const slots = (await other?.client.cluster('SLOTS')) ?? [];
    return slots.every(([, , primary]) => primary?.[1] !== victim.port) ? true : undefined;
  });
}

/** The shard's other nodes have found the new primary. */
async function followed(cluster: RedisCluster, victim: ClusterNode): Promise<void> {
  const others = cluster.nodes.filter((node) => node !== victim && node.shard === victim.shard);
  const up = async ({ client: node }: ClusterNode): Promise<true | undefined> =>
    /role:master|master_link_status:up/.test(await node.info('replication')) || undefined;
  await Promise.all(others.map((node) => eventually('its link', () => up(node))));
}
