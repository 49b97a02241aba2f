/**
 * Clients that keep what they read, over everything that happens to a cluster: when it is quiet again, none has a value that is
 * not the server's.
 */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { setTimeout as after } from 'node:timers/promises';

import { Redis } from 'ioredis';

import { eventually } from '../../src/demo/eventually.ts';
import { RedisCluster, type ClusterNode } from '../../src/demo/redis-cluster.ts';
import type { RoutingPlan } from '../../src/plan/routing-plan.ts';
import type { Proxy } from '../../src/proxy/proxy.ts';
import { Random } from '../proxy/chaos/random.ts';
import { withFault } from '../proxy/servers.ts';
import { CachingClient } from './caching-client.ts';
import { needRedis } from './environment.ts';
import { clusterPlan, portsOf, startProxy } from './proxy-setting.ts';

const KEYS = Array.from({ length: 60 }, (_, index) => `key:${index}`);

async function moveSlot(slot: number, from: ClusterNode, to: ClusterNode): Promise<void> {
  await to.client.call('CLUSTER', 'SETSLOT', String(slot), 'IMPORTING', from.id);
  await from.client.call('CLUSTER', 'SETSLOT', String(slot), 'MIGRATING', to.id);
  for (const key of await from.client.cluster('GETKEYSINSLOT', slot, 1_000))
    await from.client.call('MIGRATE', '127.0.0.1', String(to.port), '', '0', '2000', 'KEYS', key);
  await to.client.call('CLUSTER', 'SETSLOT', String(slot), 'NODE', to.id);
  await from.client.call('CLUSTER', 'SETSLOT', String(slot), 'NODE', to.id);
}

/** Reads and writes at random, until it is told to stop. */
class Load {
  #isOver = false;
  readonly #running: Promise<void>[] = [];
  readonly clients: readonly CachingClient[];

  constructor(clients: readonly CachingClient[], writer: Redis, random: Random) {
    this.clients = clients;
    for (const [at, client] of clients.entries()) {
      const keys = KEYS.filter((_, index) => index % clients.length === at);
      this.#running.push(this.#read(client, keys, random.fork()));
    }
    this.#running.push(this.#write(writer, random.fork()));
  }

  /** Only what it does not have, and none of what others read: nobody else has it told to this one. */
  async #read(client: CachingClient, keys: readonly string[], random: Random): Promise<void> {
    while (!this.#isOver) {
      const asked: Promise<void>[] = [];
      const missing = keys.filter((key) => !client.cache.has(key));
      for (let at = 0; at < missing.length;) {
        const some = missing.slice(at, at + random.between(1, 3));
        at += some.length;
        if (some.length > 1) asked.push(client.mget(some));
        else if (random.chance(0.2)) asked.push(client.getInTransaction(some[0]!));
        else asked.push(client.get(some[0]!));
      }
      await Promise.all(asked);
      await after(random.below(3));
    }
  }

  async #write(writer: Redis, random: Random): Promise<void> {
    for (let count = 0; !this.#isOver; count++) {
      const key = random.pick(KEYS)!;
      const done = random.chance(0.15) ? writer.del(key) : writer.set(key, `value:${count}`);
      await done.catch(() => {});
      // So that much stays for a while.
      if (random.chance(0.3)) await after(1);
    }
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#running);
  }
}

interface Setting {
  readonly cluster: RedisCluster;
  readonly proxy: Proxy;
  readonly plan: () => RoutingPlan;
  readonly port: number;
}

async function setUp(
  t: TestContext,
  from?: 'path' | 'wheel',
  change: (plan: RoutingPlan) => RoutingPlan = (plan) => plan,
): Promise<Setting | undefined> {
  const redis = await needRedis(t, from);
  if (redis === undefined) return undefined;
  const cluster = await RedisCluster.start({
    redis,
    replicas: 1,
    nodeTimeoutMs: 1_000,
    config: { 'cluster-require-full-coverage': 'no' },
  });
  t.after(() => cluster.stop());
  const plan = (): RoutingPlan => change(clusterPlan(cluster, 'ANY'));
  const proxy = await startProxy(t, plan());
  return { cluster, proxy, plan, port: portsOf(proxy)[0] ?? 0 };
}

async function start(t: TestContext, { port }: Setting, seed: number): Promise<Load> {
  const clients = await Promise.all([
    CachingClient.start(t, port),
    CachingClient.start(t, port, ['OPTIN']),
    CachingClient.start(t, port, ['NOLOOP']),
  ]);
  const writer = new Redis({ host: '127.0.0.1', port, retryStrategy: () => 50 });
  writer.on('error', () => {});
  t.after(() => writer.disconnect());
  return new Load(clients, writer, new Random(seed));
}

/** Fails with the entries that stay wrong. */
async function agrees(cluster: RedisCluster, { clients }: Load): Promise<void> {
  const node = cluster.nodes.find(({ process }) => process.isRunning());
  const direct = new Redis.Cluster([{ host: '127.0.0.1', port: node?.port ?? 0 }]);
  try {
    const truth = new Map(await Promise.all(KEYS.map(async (key) => [key, await direct.get(key)] as const)));
    const wrong = (): readonly string[] =>
      clients.flatMap(({ cache }, index) =>
        [...cache]
          .filter(([key, value]) => truth.get(key) !== value)
          .map(([key, value]) => `${index} ${key}: ${value}, and it is ${truth.get(key)}`),
      );
    await eventually('every kept value being the server`s', () =>
      wrong().length === 0 ? true : undefined,
    ).catch(() => {});
    assert.deepEqual(wrong(), []);
    assert.ok(clients.every(({ isClosed }) => !isClosed));
  } finally {
    direct.disconnect();
  }
}

test('nothing old stays while nothing happens, and what was not written stays kept', async (t) => {
  const setting = await setUp(t);
  if (setting === undefined) return;
  const load = await start(t, setting, 1);
  await after(2_000);
  await load.stop();
  await agrees(setting.cluster, load);
  const [first] = load.clients;
  assert.ok(first !== undefined && first.cache.size > 0);
  assert.ok(first.told.size > 0);
});

test('nothing old stays where replies are late', async (t) => {
  const setting = await setUp(t, undefined, (plan) =>
    withFault(plan, { type: 'DELAY', percentage: 30, delayMs: 15, commands: [] }),
  );
  if (setting === undefined) return;
  const load = await start(t, setting, 2);
  await after(2_500);
  await load.stop();
  await agrees(setting.cluster, load);
});

for (const from of ['path', 'wheel'] as const) {
  test(`nothing old stays while slots move (server from the ${from})`, async (t) => {
    const setting = await setUp(t, from);
    if (setting === undefined) return;
    const { cluster } = setting;
    const [a, b] = await cluster.shards();
    assert.ok(a && b);
    const [source, target] = [cluster.node(a.primary), cluster.node(b.primary)];
    const slots = await Promise.all(KEYS.map((key) => source.client.cluster('KEYSLOT', key)));
    const there = [...new Set(slots)].filter((slot) =>
      a.slots.some(([first, last]) => first <= slot && slot <= last),
    );
    const load = await start(t, setting, 3);
    for (const slot of there.slice(0, 8)) {
      await moveSlot(slot, source, target);
      await after(100);
    }
    await load.stop();
    await agrees(cluster, load);
  });
}

for (const from of ['path', 'wheel'] as const) {
  test(`nothing old stays when a primary dies and comes back (server from the ${from})`, async (t) => {
    const setting = await setUp(t, from);
    if (setting === undefined) return;
    const { cluster } = setting;
    const load = await start(t, setting, 4);
    await after(500);
    const [a] = await cluster.shards();
    assert.ok(a);
    const killed = cluster.node(a.primary);
    await cluster.kill(killed);
    await eventually('another primary', async () => {
      const shards = await cluster.shards();
      return shards.every(({ primary }) => primary !== a.primary) ? true : undefined;
    });
    await after(500);
    await cluster.restart(killed);
    await cluster.settled();
    await after(500);
    await load.stop();
    await agrees(cluster, load);
  });
}

test('nothing old stays when the plan changes', async (t) => {
  const setting = await setUp(t);
  if (setting === undefined) return;
  const { proxy, plan, cluster } = setting;
  const load = await start(t, setting, 5);
  for (let round = 0; round < 6; round++) {
    await after(250);
    await proxy.update(plan());
  }
  await after(250);
  await load.stop();
  await agrees(cluster, load);
});
