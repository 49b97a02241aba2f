import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import type { Redis } from 'ioredis';

import type { ReadPolicy } from '../../src/api/objects.ts';
import { freePorts } from '../../src/demo/child-process.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { RedisCluster, type ClusterNode } from '../../src/demo/redis-cluster.ts';
import { between, countsOf, splitByRole, type Counts } from '../../src/demo/traffic.ts';
import { needBinaries } from './environment.ts';
import { POLICIES, hostObjects } from './objects.ts';
import { answerOf, connect, startSidecar, type Sidecar } from './sidecar.ts';

const COMMANDS = { read: 'get', write: 'set' };
const SHARD_READS = 40;
const KEYS = Array.from({ length: 2_000 }, (_, index) => `key:${index}`);

/** One host for each policy, all of them the same Redis Cluster. */
interface Setting {
  readonly cluster: RedisCluster;
  readonly sidecar: Sidecar;
  readonly clients: ReadonlyMap<ReadPolicy, Redis>;
}

async function setUp(t: TestContext): Promise<Setting | undefined> {
  const binaries = await needBinaries(t);
  if (binaries === undefined) return undefined;
  const cluster = await RedisCluster.start({
    redis: binaries.redis,
    // No failover while a test looks at what a stopped node means.
    nodeTimeoutMs: 60_000,
    config: { 'cluster-require-full-coverage': 'no' },
  });
  t.after(() => cluster.stop());
  const ports = await freePorts(POLICIES.length);
  const seed = cluster.nodes[0]?.port ?? 0;
  const files = Object.fromEntries(
    POLICIES.map((readPolicy, index) => {
      const name = readPolicy.toLowerCase().replace('_', '-');
      const port = ports[index] ?? 0;
      return [
        `${name}.yaml`,
        hostObjects({ name, port, endpoints: [seed], mode: 'CLUSTER', settings: { readPolicy } }),
      ];
    }),
  );
  const sidecar = await startSidecar(t, { envoy: binaries.envoy, files });
  const clients = new Map(
    POLICIES.map((policy, index) => [policy, connect(t, ports[index] ?? 0, { maxRetriesPerRequest: 5 })]),
  );
  for (const [policy, client] of clients) {
    await eventually(
      `an answer through ${policy}`,
      async () => (await client.set('warm', 'up')) === 'OK' || undefined,
    );
  }
  const [first] = clients.values();
  const filling = first?.pipeline();
  for (const key of KEYS) filling?.set(key, 'value');
  await filling?.exec();
  return { cluster, sidecar, clients };
}

/** Sends reads and gives what each node saw of them, by port, and how many failed. */
async function reads(
  { cluster }: Setting,
  client: Redis,
  count: number,
): Promise<{ readonly seen: ReadonlyMap<number, Counts>; readonly errors: number }> {
  const before = await countsByPort(cluster);
  let errors = 0;
  for (let sent = 0; sent < count; sent += 500) {
    const batch = client.pipeline();
    for (let at = sent; at < sent + 500; at++) batch.get(KEYS[at % KEYS.length] ?? '');
    for (const [error] of (await batch.exec()) ?? []) if (error !== null) errors += 1;
  }
  const after = await countsByPort(cluster);
  return {
    errors,
    seen: new Map([...after].map(([port, counts]) => [port, between(before.get(port), counts)])),
  };
}

async function countsByPort(cluster: RedisCluster): Promise<ReadonlyMap<number, Counts>> {
  const running = cluster.nodes.filter((node) => node.process.isRunning());
  return new Map(
    await Promise.all(
      running.map(async (node) => [node.port, await countsOf(node.client, COMMANDS)] as const),
    ),
  );
}

function clientOf({ clients }: Setting, policy: ReadPolicy): Redis {
  const client = clients.get(policy);
  assert.ok(client);
  return client;
}

/** Where a shard's reads go while its replicas, or its primary, are stopped. */
const WITHOUT_REPLICAS: [ReadPolicy, 'primary' | 'nowhere'][] = [
  ['MASTER', 'primary'],
  ['PREFER_MASTER', 'primary'],
  ['REPLICA', 'nowhere'],
  ['PREFER_REPLICA', 'primary'],
  ['ANY', 'primary'],
];

const WITHOUT_PRIMARY: [ReadPolicy, 'replicas' | 'nowhere'][] = [
  ['MASTER', 'nowhere'],
  ['PREFER_MASTER', 'replicas'],
  ['REPLICA', 'replicas'],
  ['PREFER_REPLICA', 'replicas'],
  ['ANY', 'replicas'],
];

test('read policies through a real Envoy, counted on the nodes', async (t) => {
  const setting = await setUp(t);
  if (setting === undefined) return;
  const { cluster } = setting;

  for (const policy of POLICIES) {
    await t.test(`${policy} with every node up: 20,000 reads go where it says`, async () => {
      const { seen, errors } = await reads(setting, clientOf(setting, policy), 20_000);
      const { readsOnPrimaries, readsOnReplicas } = splitByRole(seen.values());
      assert.equal(errors, 0);
      assert.equal(readsOnPrimaries + readsOnReplicas, 20_000);
      if (policy === 'MASTER' || policy === 'PREFER_MASTER') assert.equal(readsOnReplicas, 0);
      if (policy === 'REPLICA' || policy === 'PREFER_REPLICA') assert.equal(readsOnPrimaries, 0);
      if (policy !== 'MASTER' && policy !== 'PREFER_MASTER') {
        assertEvenShares(await cluster.shards(), seen, policy === 'ANY');
      }
    });

    await t.test(`${policy}: writes go to primaries`, async () => {
      const before = await countsByPort(cluster);
      const batch = clientOf(setting, policy).pipeline();
      for (const key of KEYS) batch.set(key, 'value');
      const errors = ((await batch.exec()) ?? []).filter(([error]) => error !== null);
      const after = await countsByPort(cluster);
      const split = splitByRole([...after].map(([port, counts]) => between(before.get(port), counts)));
      assert.deepEqual(errors, []);
      assert.equal(split.writesOnReplicas, 0);
      assert.equal(split.writesOnPrimaries, KEYS.length);
    });
  }

  const replicas = await nodesOf(cluster, 0, 'replicas');
  await Promise.all(replicas.map((node) => cluster.kill(node)));
  await noticed(setting, replicas);
  for (const [policy, where] of WITHOUT_REPLICAS) {
    await t.test(
      `${policy} while the replicas of a shard are stopped: its reads go to ${where}`,
      async () => {
        const found = await readsOfShard(setting, policy, 0);
        const all = where === 'nowhere' ? 0 : SHARD_READS;
        assert.deepEqual(found, { answered: all, byPrimary: all, byReplicas: 0 });
      },
    );
  }

  const primary = await nodesOf(cluster, 1, 'primary');
  await Promise.all(primary.map((node) => cluster.kill(node)));
  await noticed(setting, primary);
  for (const [policy, where] of WITHOUT_PRIMARY) {
    await t.test(
      `${policy} while the primary of a shard is stopped and not replaced: its reads go to ${where}`,
      async () => {
        const found = await readsOfShard(setting, policy, 1);
        const all = where === 'nowhere' ? 0 : SHARD_READS;
        assert.deepEqual(found, { answered: all, byPrimary: 0, byReplicas: all });
      },
    );
  }
});

/** Each node that may read within 10 % of its shard's share. */
function assertEvenShares(
  shards: Awaited<ReturnType<RedisCluster['shards']>>,
  seen: ReadonlyMap<number, Counts>,
  withPrimary: boolean,
): void {
  for (const { primary, replicas } of shards) {
    const ports = withPrimary ? [primary, ...replicas] : replicas;
    const counts = ports.map((port) => seen.get(port)?.reads ?? 0);
    const share = counts.reduce((sum, count) => sum + count, 0) / ports.length;
    for (const count of counts) {
      assert.ok(
        Math.abs(count - share) <= share / 10,
        `a node had ${count} of its shard's ${counts.join(' + ')} reads`,
      );
    }
  }
}

/** What a shard's reads do while some of its nodes are stopped. */
async function readsOfShard(
  setting: Setting,
  policy: ReadPolicy,
  shard: number,
): Promise<{
  readonly answered: number;
  readonly byPrimary: number;
  readonly byReplicas: number;
}> {
  const { cluster } = setting;
  const client = clientOf(setting, policy);
  const down = await cluster.shards();
  const slots = down[shard]?.slots ?? [];
  const node = cluster.nodes.find((other) => other.process.isRunning());
  const keys: string[] = [];
  for (const key of KEYS) {
    if (keys.length >= SHARD_READS) break;
    const slot = Number(await node?.client.cluster('KEYSLOT', key));
    if (slots.some(([first, last]) => first <= slot && slot <= last)) keys.push(key);
  }
  const before = await countsByPort(cluster);
  const answers = await Promise.all(keys.map((key) => answerOf(client.get(key))));
  const after = await countsByPort(cluster);
  const split = splitByRole([...after].map(([port, counts]) => between(before.get(port), counts)));
  return {
    answered: answers.filter((answer) => answer === 'value').length,
    byPrimary: split.readsOnPrimaries,
    byReplicas: split.readsOnReplicas,
  };
}

async function nodesOf(
  cluster: RedisCluster,
  shard: number,
  part: 'primary' | 'replicas',
): Promise<readonly ClusterNode[]> {
  const found = (await cluster.shards())[shard];
  assert.ok(found);
  return (part === 'primary' ? [found.primary] : found.replicas).map((port) => cluster.node(port));
}

/** Envoy has taken them out in the cluster of every policy. */
async function noticed({ sidecar }: Setting, down: readonly ClusterNode[]): Promise<void> {
  const places = down.map(({ port }) => `127.0.0.1:${port}`);
  await eventually('Envoy noticing the stopped nodes', async () => {
    const clusters = await sidecar.envoy.admin('/clusters');
    const flags = clusters
      .split('\n')
      .filter((line) => line.includes('health_flags') && places.some((place) => line.includes(place)));
    return flags.length === places.length * POLICIES.length && flags.every((line) => line.includes('/failed'))
      ? true
      : undefined;
  });
}
