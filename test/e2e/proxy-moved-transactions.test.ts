import assert from 'node:assert/strict';
import { test } from 'node:test';

import { RedisCluster, type ClusterNode } from '../../src/demo/redis-cluster.ts';
import { slotOf } from '../../src/redis/slots.ts';
import { needRedis } from './environment.ts';
import { catchAll, servers, startListener, startServers } from './proxy-servers.ts';
import { client, clusterPlan, portsOf, startProxy } from './proxy-setting.ts';
import { answerOf } from './sidecar.ts';

for (const from of ['path', 'wheel'] as const) {
  test(`transactions on slots that move (server from the ${from}) are carried out where they are`, async (t) => {
    const redis = await needRedis(t, from);
    if (redis === undefined) return;
    const cluster = await RedisCluster.start({ redis, replicas: 0 });
    t.after(() => cluster.stop());
    const [a, b] = await cluster.shards();
    assert.ok(a && b);
    const [source, target] = [cluster.node(a.primary), cluster.node(b.primary)];
    const [port = 0] = portsOf(await startProxy(t, clusterPlan(cluster, 'MASTER')));
    const one = client(t, port);
    const isOfSource = (key: string): boolean => {
      const slot = slotOf(Buffer.from(key), 0, key.length);
      return a.slots.some(([first, last]) => first <= slot && slot <= last);
    };
    const keys = Array.from({ length: 200 }, (_, index) => `k${index}`).filter(isOfSource);
    const [moving = '', moved = '', watched = ''] = keys;
    const slot = (key: string): string => String(slotOf(Buffer.from(key), 0, key.length));
    const setSlot = (node: ClusterNode, key: string, ...words: string[]): Promise<unknown> =>
      node.client.call('CLUSTER', 'SETSLOT', slot(key), ...words);
    const transaction = (key: string): Promise<unknown> =>
      Promise.all([one.call('MULTI'), one.call('SET', key, 'x'), one.call('GET', key), one.call('EXEC')]);
    const carriedOut = ['OK', 'QUEUED', 'QUEUED', ['OK', 'x']];

    await t.test('once its slot has been handed over', async () => {
      for (const node of [target, source]) await setSlot(node, moved, 'NODE', target.id);
      assert.deepEqual(await transaction(moved), carriedOut);
    });

    await t.test('watched there, too', async () => {
      for (const node of [target, source]) await setSlot(node, watched, 'NODE', target.id);
      assert.equal(await one.watch(watched), 'OK');
      assert.deepEqual(await transaction(watched), carriedOut);
    });

    await t.test('while its slot is being handed over', async () => {
      await setSlot(target, moving, 'IMPORTING', source.id);
      await setSlot(source, moving, 'MIGRATING', target.id);
      if (redis.flavour === 'valkey') {
        // It says so only to EXEC, when the client has been told that all is queued.
        assert.match(String(await answerOf(transaction(moving))), /^TRYAGAIN/);
        return;
      }
      assert.deepEqual(await transaction(moving), carriedOut);
      assert.equal(await target.client.cluster('COUNTKEYSINSLOT', Number(slot(moving))), 1);
    });
  });
}

test('a transaction over several plain servers is refused in words that fit', async (t) => {
  const nodes = await startServers(t, 2);
  if (nodes === undefined) return;
  const one = client(t, await startListener(t, [servers('a', nodes)], () => catchAll('a')));
  await one.call('MULTI');
  const replies = await Promise.all(
    Array.from({ length: 20 }, (_, index) => answerOf(one.call('SET', `k${index}`, 'x'))),
  );
  assert.deepEqual(
    new Set(replies),
    new Set(['QUEUED', 'CROSSSLOT The keys of this transaction are at different servers']),
  );
});
