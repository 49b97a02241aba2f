import assert from 'node:assert/strict';
import { test } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { RedisCluster } from '../../src/demo/redis-cluster.ts';
import { needRedis } from './environment.ts';
import { client, clusterPlan, portsOf, startProxy } from './proxy-setting.ts';

const SLOW = `local ends = redis.call('TIME')[1] + 4
  while tonumber(redis.call('TIME')[1]) < ends do end
  return 'done'`;

test('a slow command holds up who shares its node no longer than until reads are hedged', async (t) => {
  const redis = await needRedis(t);
  if (redis === undefined) return;
  const cluster = await RedisCluster.start({ redis, shards: 1, replicas: 1, nodeTimeoutMs: 30_000 });
  t.after(() => cluster.stop());
  const [shard] = await cluster.shards();
  const primary = cluster.node(shard?.primary ?? 0);
  const proxy = await startProxy(t, clusterPlan(cluster, 'PREFER_MASTER'));
  const [port = 0] = portsOf(proxy);
  const [slow, other] = [client(t, port), client(t, port)];
  await other.set('k', 'v');
  await cluster.replicated();
  // Of clients' commands; what the proxy asks for itself has a connection of its own, and patience of its own.
  const shared = async (): Promise<readonly string[]> =>
    [...String(await primary.client.client('LIST')).matchAll(/^id=(\d+) .* cmd=(?:set|get|eval) /gm)].map(
      ([, id = '']) => id,
    );
  const sent = (what: 'reads' | 'writes'): number =>
    proxy.status()[0]?.nodes.find(({ role }) => role === 'primary')?.[what] ?? 0;
  const writes = sent('writes');
  const made = await shared();
  assert.notEqual(made.length, 0);
  let isOver = false;
  const reply = slow.eval(SLOW, 1, 'k').finally(() => {
    isOver = true;
  });

  await eventually('its begin', () => sent('writes') > writes || undefined);

  await t.test('reads are answered meanwhile', async () => {
    for (let count = 0; count < 20; count++) assert.equal(await other.get('k'), 'v');
    assert.equal(isOver, false);
  });
  await t.test('it has its reply', async () => assert.equal(await reply, 'done'));
  await t.test('its node is read from again', async () => {
    const before = sent('reads');
    await eventually('a read', async () => {
      await other.get('k');
      return sent('reads') > before || undefined;
    });
  });
  await t.test('no connection was closed', async () => {
    const now = await shared();
    assert.deepEqual(
      made.filter((id) => !now.includes(id)),
      [],
    );
  });
});
