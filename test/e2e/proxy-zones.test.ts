import assert from 'node:assert/strict';
import { test } from 'node:test';

import { pino } from 'pino';

import type { ReadPolicy } from '../../src/api/objects.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { RedisCluster } from '../../src/demo/redis-cluster.ts';
import type { RoutingPlan } from '../../src/plan/routing-plan.ts';
import type { Proxy } from '../../src/proxy/proxy.ts';
import { needRedis } from './environment.ts';
import { client, clusterPlan, portsOf, startProxy } from './proxy-setting.ts';

const READS = 60;

function withZones(plan: RoutingPlan): RoutingPlan {
  return {
    ...plan,
    listeners: plan.listeners.map(({ bind, listener }) => ({
      bind,
      listener: { ...listener, zoneAffinity: true },
    })),
  };
}

/** What each node was sent, by address. */
function readsByNode(proxy: Proxy): ReadonlyMap<string, number> {
  return new Map(proxy.status().flatMap(({ nodes }) => nodes.map(({ address, reads }) => [address, reads])));
}

test("with zone affinity reads stay in the proxy's zone, and leave it at once when nobody is left there", async (t) => {
  // Valkey tells its zone in INFO; Redis has no such setting.
  const redis = await needRedis(t, 'wheel');
  if (redis === undefined) return;
  const cluster = await RedisCluster.start({ redis, shards: 1, replicas: 2 });
  t.after(() => cluster.stop());
  const [shard] = await cluster.shards();
  const [near = 0, far = 0] = shard?.replicas ?? [];
  const zones = [
    [shard?.primary ?? 0, 'west'],
    [near, 'east'],
    [far, 'west'],
  ] as const;
  for (const [port, zone] of zones) await cluster.node(port).client.config('SET', 'availability-zone', zone);
  const start = async (policy: ReadPolicy, zone: string): Promise<() => Promise<readonly string[]>> => {
    // A slow reply would be asked of another zone too.
    const plan = withZones(clusterPlan(cluster, policy));
    const proxy = await startProxy(t, plan, { zone, hedgeAfterMs: 60_000 });
    const through = client(t, portsOf(proxy)[0] ?? 0);
    await eventually('every zone being known', () =>
      proxy.status()[0]?.nodes.every(({ zone: known }) => known !== undefined) === true ? true : undefined,
    );
    return async () => {
      const before = readsByNode(proxy);
      for (let index = 0; index < READS; index++) await through.get('key');
      return [...readsByNode(proxy)]
        .filter(([address, reads]) => reads > (before.get(address) ?? 0))
        .map(([address]) => address)
        .sort();
    };
  };
  const [nearby, remote] = [`127.0.0.1:${near}`, `127.0.0.1:${far}`];
  const readers = new Map<ReadPolicy, () => Promise<readonly string[]>>();
  for (const policy of ['REPLICA', 'PREFER_REPLICA', 'ANY'] as const) {
    const ask = await start(policy, 'east');
    readers.set(policy, ask);
    await t.test(`${policy}: the replica of the zone answers`, async () => {
      assert.deepEqual(await ask(), [nearby]);
    });
  }
  await t.test('a zone that no node is in: every replica answers', async () => {
    assert.deepEqual(await (await start('REPLICA', 'north'))(), [nearby, remote].sort());
  });
  await cluster.kill(cluster.node(near));
  for (const [policy, ask] of readers) {
    await t.test(`${policy}: the zone's only replica has died`, async () => {
      const asked = await ask();
      // Until the death is noticed the dead one counts as asked: reads are tried again elsewhere.
      assert.deepEqual(
        asked.filter((address) => address !== nearby),
        [remote],
      );
      assert.deepEqual(await ask(), [remote]);
    });
  }
  await t.test('ANY in the zone of the primary: a replica of the zone comes before it', async () => {
    assert.deepEqual(await (await start('ANY', 'west'))(), [remote]);
  });
});

test('zone affinity in a proxy that was not told its zone is no secret', async (t) => {
  const redis = await needRedis(t);
  if (redis === undefined) return;
  const cluster = await RedisCluster.start({ redis, shards: 1, replicas: 1 });
  t.after(() => cluster.stop());
  const lines: string[] = [];
  const log = pino({ level: 'warn' }, { write: (line) => void lines.push(line) });
  const plan = withZones(clusterPlan(cluster, 'ANY'));
  const proxy = await startProxy(t, plan, { log });
  await proxy.update({ ...plan });
  assert.equal(lines.filter((line) => line.includes('--zone')).length, 1);
});
