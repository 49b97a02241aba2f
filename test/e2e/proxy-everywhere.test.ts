import assert from 'node:assert/strict';
import { test } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { RedisCluster } from '../../src/demo/redis-cluster.ts';
import { needRedis } from './environment.ts';
import { client, clusterPlan, portsOf, startProxy } from './proxy-setting.ts';
import { answerOf } from './sidecar.ts';

test('commands that concern every node', async (t) => {
  const redis = await needRedis(t);
  if (redis === undefined) return;
  const cluster = await RedisCluster.start({ redis, replicas: 1 });
  t.after(() => cluster.stop());
  const [port = 0] = portsOf(await startProxy(t, clusterPlan(cluster, 'ANY')));
  const through = client(t, port);
  const keys = Array.from({ length: 500 }, (_, index) => `key:${index}`).sort();
  await through.mset(...keys.flatMap((key) => [key, 'v']));

  await t.test('DBSIZE, KEYS and RANDOMKEY are of the whole cluster', async () => {
    assert.equal(await through.dbsize(), keys.length);
    assert.deepEqual((await through.keys('*')).sort(), keys);
    const random = new Set<unknown>();
    for (let count = 0; count < 60; count++) random.add(await through.randomkey());
    const shards = await cluster.shards();
    const slots = await Promise.all(
      [...random].map(async (key) => await cluster.nodes[0]?.client.cluster('KEYSLOT', String(key))),
    );
    for (const { slots: ranges } of shards) {
      assert.ok(slots.some((slot = -1) => ranges.some(([first, last]) => first <= slot && slot <= last)));
    }
  });

  await t.test('SCAN goes through every shard, each key at least once', async () => {
    const seen = new Set<string>();
    let cursor = '0';
    let calls = 0;
    do {
      const [next, found] = await through.scan(cursor, 'MATCH', 'key:*', 'COUNT', 20);
      for (const key of found) seen.add(key);
      cursor = next;
      calls += 1;
    } while (cursor !== '0' && calls < 1_000);
    assert.deepEqual([...seen].sort(), keys);
    assert.equal(await answerOf(through.call('SCAN', 'abc')), 'ERR invalid cursor');
  });

  await t.test('PUBSUB tells of subscribers at every node', async () => {
    const subscribers = Array.from({ length: 12 }, () => client(t, port));
    const shardChannels = keys.slice(0, 12);
    for (const [index, each] of subscribers.entries()) {
      await each.subscribe('news', '\r\n:1');
      await each.psubscribe(`n${index}*`);
      await each.ssubscribe(shardChannels[index] ?? '');
    }
    assert.deepEqual(await through.call('PUBSUB', 'NUMSUB', 'news', 'none', '\r\n:1'), [
      'news',
      12,
      'none',
      0,
      '\r\n:1',
      12,
    ]);
    const sorted = async (...words: string[]): Promise<unknown> =>
      ((await through.call('PUBSUB', ...words)) as string[]).toSorted();
    assert.deepEqual(await sorted('CHANNELS'), ['\r\n:1', 'news']);
    assert.deepEqual(await sorted('CHANNELS', 'ne*'), ['news']);
    assert.deepEqual(await sorted('SHARDCHANNELS'), shardChannels.toSorted());
    assert.deepEqual(await through.call('PUBSUB', 'SHARDNUMSUB', shardChannels[3] ?? ''), [
      shardChannels[3],
      1,
    ]);
    assert.equal(await through.call('PUBSUB', 'NUMPAT'), 12);
    for (const each of subscribers) each.disconnect();
  });

  await t.test('scripts are loaded wherever they may run', async () => {
    const sha = String(await through.script('LOAD', "return redis.call('GET', KEYS[1])"));
    for (const key of keys.slice(0, 20)) assert.equal(await through.evalsha(sha, 1, key), 'v');
    await eventually('replicas having the script', async () => {
      for (const key of keys.slice(0, 20)) await through.call('EVALSHA_RO', sha, '1', key);
      return true;
    });
    assert.deepEqual(await through.call('SCRIPT', 'EXISTS', sha, '0'.repeat(40)), [1, 0]);
    assert.equal(await through.call('SCRIPT', 'FLUSH'), 'OK');
    assert.deepEqual(await through.call('SCRIPT', 'EXISTS', sha), [0]);
  });

  await t.test('functions are loaded on every primary', async () => {
    const code =
      "#!lua name=lib\nredis.register_function('f', function(keys) return redis.call('GET', keys[1]) end)";
    assert.equal(await through.call('FUNCTION', 'LOAD', code), 'lib');
    for (const key of keys.slice(0, 20)) assert.equal(await through.call('FCALL', 'f', '1', key), 'v');
    assert.equal(await through.call('FUNCTION', 'DELETE', 'lib'), 'OK');
  });

  await t.test('CONFIG SET reaches every node, CONFIG GET asks one', async () => {
    assert.equal(await through.config('SET', 'slowlog-max-len', '77'), 'OK');
    await eventually('every node having it', async () => {
      const values = await Promise.all(
        cluster.nodes.map(({ client: node }) => node.config('GET', 'slowlog-max-len')),
      );
      return values.flat().filter((value) => value === '77').length === cluster.nodes.length
        ? true
        : undefined;
    });
    const got = await through.call('CONFIG', 'GET', 'slowlog-max-len');
    assert.deepEqual(
      Object.values(got as object).flat(),
      Array.isArray(got) ? ['slowlog-max-len', '77'] : ['77'],
    );
  });

  await t.test('FLUSHALL empties every shard', async () => {
    assert.equal(await through.flushall(), 'OK');
    for (const { client: node } of cluster.nodes) {
      if ((await node.info('replication')).includes('role:master')) assert.equal(await node.dbsize(), 0);
    }
  });

  await t.test('what would hurt others is refused', async () => {
    for (const command of [['SHUTDOWN'], ['DEBUG', 'SLEEP', '1'], ['REPLICAOF', 'NO', 'ONE']]) {
      const [name = '', ...args] = command;
      assert.match(String(await answerOf(through.call(name, ...args))), /is not carried out by this proxy/);
    }
  });
});
