/** Keyspace notifications of a real Redis Cluster, and of plain servers, through the proxy as from one server. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import type { Redis } from 'ioredis';

import { eventually } from '../../src/demo/eventually.ts';
import { RedisCluster, type ClusterNode } from '../../src/demo/redis-cluster.ts';
import { needRedis } from './environment.ts';
import { catchAll, servers, startListener, startServers } from './proxy-servers.ts';
import { client, clusterPlan, portsOf, startProxy } from './proxy-setting.ts';

const EXPIRED = '__keyevent@0__:expired';
const SET = '__keyevent@0__:set';

/** Every event that came, as channel and message. */
function heardBy(subscriber: Redis): readonly string[] {
  const heard: string[] = [];
  subscriber.on('message', (channel: string, text: string) => heard.push(`${channel} ${text}`));
  subscriber.on('pmessage', (_, channel: string, text: string) => heard.push(`${channel} ${text}`));
  return heard;
}

/** Of all shards. */
const keysOf = (name: string): readonly string[] =>
  Array.from({ length: 30 }, (_, index) => `${name}${index}`);

async function same(heard: readonly string[], expected: readonly string[]): Promise<void> {
  await eventually('every event', () => expected.every((each) => heard.includes(each)) || undefined, {
    seen: () => heard.join(', '),
  });
  assert.deepEqual(heard.toSorted(), expected.toSorted());
}

async function expire(writer: Redis, keys: readonly string[]): Promise<void> {
  await Promise.all(keys.map((key) => writer.set(key, 'v', 'PX', 20)));
}

/** How many patterns are subscribed to at the node. */
async function patterns({ client: node }: ClusterNode): Promise<number> {
  return Number(await node.call('PUBSUB', 'NUMPAT'));
}

interface Scene {
  readonly cluster: RedisCluster;
  readonly port: number;
  readonly writer: Redis;
}

async function setUp(t: TestContext, from: 'path' | 'wheel'): Promise<Scene | undefined> {
  const redis = await needRedis(t, from);
  if (redis === undefined) return undefined;
  const cluster = await RedisCluster.start({ redis, replicas: 1 });
  t.after(() => cluster.stop());
  const [port = 0] = portsOf(await startProxy(t, clusterPlan(cluster, 'REPLICA')));
  const writer = client(t, port);
  // On every node, replicas too, as frameworks ask for it.
  await writer.config('SET', 'notify-keyspace-events', 'KEA');
  return { cluster, port, writer };
}

/** Writes until `then` has resolved; returns what was written, a key each time. */
async function writeUntil(writer: Redis, name: string, then: Promise<unknown>): Promise<readonly string[]> {
  const state = { isOver: false };
  const over = then.finally(() => (state.isOver = true));
  const keys: string[] = [];
  while (!state.isOver) {
    const key = `${name}${keys.length}`;
    // What became of it while nobody could be asked is not known.
    await writer.set(key, 'v').catch(() => {});
    keys.push(key);
  }
  await over;
  return keys;
}

for (const from of ['path', 'wheel'] as const) {
  test(`keyspace notifications of a cluster (server from the ${from})`, async (t) => {
    const scene = await setUp(t, from);
    if (scene === undefined) return;
    const { cluster, port, writer } = scene;
    const primaryOf = async (shard: number): Promise<ClusterNode> =>
      cluster.node((await cluster.shards())[shard]?.primary ?? 0);

    for (const protocol of [2, 3] as const) {
      await t.test(`RESP${protocol}: those of all shards come, each once`, async () => {
        const subscriber = client(t, port, { protocol });
        const heard = heardBy(subscriber);
        assert.equal(await subscriber.psubscribe(EXPIRED), 1);
        const [channel = '', other = ''] = ['a', 'b'].map((key) => `__keyspace@0__:${key}${protocol}`);
        assert.equal(await subscriber.subscribe(channel, 'news', other), 4);
        const keys = keysOf(`expiring${protocol}:`);
        await expire(writer, keys);
        await writer.publish('news', 'hi');
        for (const key of ['a', 'b']) await writer.set(`${key}${protocol}`, 'v');
        const events = keys.map((key) => `${EXPIRED} ${key}`);
        await same(heard, [...events, `${channel} set`, `${other} set`, 'news hi']);
        assert.equal(await subscriber.punsubscribe(EXPIRED), 3);
        assert.equal(await subscriber.unsubscribe(), 0);
        const before = heard.length;
        await expire(writer, keysOf(`left${protocol}:`));
        await eventually(
          'no key being left',
          async () => (await writer.dbsize()) === 2 * (protocol - 1) || undefined,
        );
        await subscriber.ping();
        assert.equal(heard.length, before);
        // Nobody else has subscribed.
        const counts = await Promise.all(cluster.nodes.map(patterns));
        assert.deepEqual(
          counts,
          cluster.nodes.map(() => 0),
        );
      });
    }

    await t.test('what is published under their names comes from each primary', async () => {
      const subscriber = client(t, port);
      const heard = heardBy(subscriber);
      await subscriber.subscribe('__keyevent@0__:mine');
      assert.deepEqual(await writer.call('PUBSUB', 'NUMSUB', '__keyevent@0__:mine'), [
        '__keyevent@0__:mine',
        3,
      ]);
      await writer.publish('__keyevent@0__:mine', 'x');
      await eventually('it', () => heard.length === 3 || undefined);
      subscriber.disconnect();
    });

    await t.test('what is confirmed hears of the next write, wherever that goes', async () => {
      for (let round = 0; round < 10; round++) {
        const subscriber = client(t, port);
        const heard = heardBy(subscriber);
        await subscriber.psubscribe(SET);
        const keys = keysOf(`next${round}:`);
        await Promise.all(keys.map((key) => writer.set(key, 'v')));
        await same(
          heard,
          keys.map((key) => `${SET} ${key}`),
        );
        subscriber.disconnect();
      }
    });

    const failovers = {
      'is asked to step down': async (primary: ClusterNode, replica: ClusterNode) => {
        await replica.client.call('CLUSTER', 'FAILOVER');
        await eventually(
          'its role',
          async () => (await primary.client.info('replication')).includes('role:slave') || undefined,
        );
      },
      dies: async (primary: ClusterNode) => await cluster.kill(primary),
    };
    for (const [how, happen] of Object.entries(failovers)) {
      await t.test(`when a primary ${how} its successor's come, and none twice`, async () => {
        const [one, other] = [client(t, port), client(t, port, { protocol: 2 })];
        const all = [one, other].map(heardBy);
        // A pattern that two have counts once.
        await one.psubscribe(SET);
        await other.psubscribe('__keyevent@*:set');
        const primary = await primaryOf(0);
        const replica = cluster.node((await cluster.shards())[0]?.replicas[0] ?? 0);
        const followed = async (): Promise<void> => {
          await happen(primary, replica);
          await eventually(
            'its successor being asked',
            async () => (await patterns(replica)) === 2 || undefined,
          );
        };
        const during = await writeUntil(writer, `during ${how}:`, followed());
        const keys = keysOf(`after ${how}:`);
        for (const key of keys) await writer.set(key, 'v');
        const expected = keys.map((key) => `${SET} ${key}`);
        for (const heard of all) {
          await eventually(
            'those after it',
            () => expected.every((each) => heard.includes(each)) || undefined,
            {
              seen: () => heard.slice(-40).join(', '),
            },
          );
          assert.deepEqual(
            heard.filter((each, index) => heard.indexOf(each) !== index),
            [],
          );
          t.diagnostic(`${how}: ${heard.length - keys.length} of ${during.length} came during it`);
        }
        for (const each of [one, other]) each.disconnect();
      });
    }
  });
}

test('keyspace notifications of several plain servers', async (t) => {
  const nodes = await startServers(t, 3);
  if (nodes === undefined) return;
  const port = await startListener(t, [servers('a', nodes)], () => catchAll('a'));
  const [subscriber, writer] = [client(t, port), client(t, port)];
  await writer.config('SET', 'notify-keyspace-events', 'KEA');
  const heard = heardBy(subscriber);
  assert.equal(await subscriber.psubscribe('__keyevent@*__:expired'), 1);
  const keys = keysOf('k');
  await expire(writer, keys);
  await same(
    heard,
    keys.map((key) => `${EXPIRED} ${key}`),
  );
  const stats = await Promise.all(nodes.map(({ client: node }) => node.info('stats')));
  assert.ok(
    stats.every((each) => /expired_keys:[1-9]/.test(each)),
    'all have had some',
  );
});
