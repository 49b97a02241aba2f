import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Redis } from 'ioredis';

import { freePorts } from '../../src/demo/child-process.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { RedisCluster } from '../../src/demo/redis-cluster.ts';
import { countsOf } from '../../src/demo/traffic.ts';
import { needEnvoy, needRedis } from './environment.ts';
import { hostObjects } from './objects.ts';
import { connect, startSidecar } from './sidecar.ts';

const READS = 200;

test("with zone affinity reads stay in the reader's zone, and leave it when nobody is left there", async (t) => {
  const envoy = await needEnvoy(t);
  // Valkey tells its zone in INFO; Redis has no such setting.
  const redis = envoy === undefined ? undefined : await needRedis(t, 'wheel');
  if (envoy === undefined || redis === undefined) return;
  const cluster = await RedisCluster.start({ redis, shards: 1, replicas: 2, nodeTimeoutMs: 3_000 });
  t.after(() => cluster.stop());
  const [shard] = await cluster.shards();
  const [near = 0, far = 0] = shard?.replicas ?? [];
  for (const [port, zone] of [
    [shard?.primary ?? 0, 'west'],
    [near, 'east'],
    [far, 'west'],
  ] as const) {
    await cluster.node(port).client.config('SET', 'availability-zone', zone);
  }
  const [ofPrefer = 0, ofAny = 0, plain = 0] = await freePorts(3);
  const host = (name: string, port: number, readPolicy: string, isNear: boolean): string =>
    hostObjects({
      name,
      port,
      endpoints: [near],
      mode: 'CLUSTER',
      settings: { readPolicy },
      ...(isNear ? { annotations: { 'zone-affinity': 'true' } } : {}),
    });
  await startSidecar(t, {
    envoy,
    node: { zone: 'east' },
    files: {
      'hosts.yaml': [
        host('prefer', ofPrefer, 'PREFER_REPLICA', true),
        host('any', ofAny, 'ANY', true),
        host('plain', plain, 'PREFER_REPLICA', false),
      ].join('---\n'),
    },
  });
  const readsByPort = async (client: Redis): Promise<ReadonlyMap<number, number>> => {
    const count = async (): Promise<Map<number, number>> =>
      new Map(
        await Promise.all(
          cluster.nodes
            .filter((node) => node.process.isRunning())
            .map(
              async (node) =>
                [node.port, (await countsOf(node.client, { read: 'get', write: 'set' })).reads] as const,
            ),
        ),
      );
    const before = await count();
    for (let at = 0; at < READS; at++) await client.get('key');
    return new Map(
      [...(await count())]
        .map(([port, reads]) => [port, reads - (before.get(port) ?? 0)] as const)
        .filter(([, reads]) => reads > 0),
    );
  };
  const clients = { prefer: ofPrefer, any: ofAny };

  for (const [name, port] of Object.entries(clients)) {
    await t.test(`${name}: every read goes to the replica in its zone`, async (st) => {
      const client = connect(st, port, { maxRetriesPerRequest: 10 });
      await eventually('all reads in the zone, once the zones are known', async () => {
        const seen = await readsByPort(client);
        return seen.get(near) === READS ? true : undefined;
      });
    });
  }

  await t.test('without the annotation both replicas answer', async (st) => {
    const client = connect(st, plain, { maxRetriesPerRequest: 10 });
    await eventually('an answer', async () => ((await client.get('key')) === null ? true : undefined));
    assert.deepEqual(new Set((await readsByPort(client)).keys()), new Set([near, far]));
  });

  // Envoy 1.40 asks the zone's replicas also when none of them is healthy, until Redis lists them no more.
  await cluster.kill(cluster.node(near));
  for (const [name, port] of Object.entries(clients)) {
    await t.test(`${name}: the other replica answers once Redis lists the near one no more`, async (st) => {
      const client = connect(st, port, { maxRetriesPerRequest: 10 });
      await eventually('reads without error', async () => {
        for (let at = 0; at < 20; at++) await client.get('key');
        return true;
      });
      assert.deepEqual([...(await readsByPort(client)).keys()], [far]);
    });
  }
});
