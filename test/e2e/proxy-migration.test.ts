import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Redis } from 'ioredis';

import type { ReadPolicy } from '../../src/api/objects.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { RedisCluster, type ClusterNode, type Shard } from '../../src/demo/redis-cluster.ts';
import { clientOf } from '../proxy/servers.ts';
import { needRedis } from './environment.ts';
import { SteadyLoad } from './proxy-load.ts';
import { client, clusterPlan, portsOf, startProxy } from './proxy-setting.ts';
import { answerOf } from './sidecar.ts';

const POLICIES: readonly ReadPolicy[] = ['MASTER', 'REPLICA', 'ANY'];
/** On a busy machine. */
const PATIENT = { deadlineMs: 30_000 };

async function mark(slot: number, from: ClusterNode, to: ClusterNode): Promise<void> {
  await to.client.call('CLUSTER', 'SETSLOT', String(slot), 'IMPORTING', from.id);
  await from.client.call('CLUSTER', 'SETSLOT', String(slot), 'MIGRATING', to.id);
}

async function moveKeys(slot: number, from: ClusterNode, to: ClusterNode): Promise<void> {
  for (const key of await from.client.cluster('GETKEYSINSLOT', slot, 1_000)) {
    await from.client.call('MIGRATE', '127.0.0.1', String(to.port), '', '0', '2000', 'KEYS', key);
  }
}

async function handOver(slot: number, from: ClusterNode, to: ClusterNode): Promise<void> {
  await to.client.call('CLUSTER', 'SETSLOT', String(slot), 'NODE', to.id);
  await from.client.call('CLUSTER', 'SETSLOT', String(slot), 'NODE', to.id);
}

/** Proxies that ask a primary again have heard its last answer. */
async function askedAgain({ client: node }: ClusterNode, proxies: number): Promise<void> {
  const asked = async (): Promise<number> =>
    Number(/cmdstat_cluster\|nodes:calls=(\d+)/.exec(await node.info('commandstats'))?.[1] ?? 0);
  // They ask alike often, but not at the same time.
  const enough = (await asked()) + 3 * proxies;
  await eventually('every proxy asking again', async () => ((await asked()) >= enough ? true : undefined));
}

/** Moves a slot as redis-cli does. */
async function moveSlot(slot: number, from: ClusterNode, to: ClusterNode, isFirst: boolean): Promise<void> {
  await mark(slot, from, to);
  // That slots move at all they know from then on.
  if (isFirst) await askedAgain(from, POLICIES.length);
  await moveKeys(slot, from, to);
  await handOver(slot, from, to);
}

for (const from of ['path', 'wheel'] as const) {
  test(`slots that move under load (server from the ${from}) cost no error and no wrong reply`, async (t) => {
    const redis = await needRedis(t, from);
    if (redis === undefined) return;
    const cluster = await RedisCluster.start({ redis, replicas: 1 });
    t.after(() => cluster.stop());
    const loads: [ReadPolicy, SteadyLoad][] = [];
    for (const policy of POLICIES) {
      const [port = 0] = portsOf(await startProxy(t, clusterPlan(cluster, policy)));
      const load = await SteadyLoad.start(port, { readsPerSecond: 300, writesPerSecond: 60 });
      t.after(() => load.stop());
      loads.push([policy, load]);
    }
    const [a, b] = await cluster.shards();
    assert.ok(a && b);
    const [source, target] = [cluster.node(a.primary), cluster.node(b.primary)];
    const slots = new Set<number>();
    for (let index = 0; slots.size < 5; index++) {
      const slot = await source.client.cluster('KEYSLOT', `key:${index}`);
      if (a.slots.some(([first, last]) => first <= slot && slot <= last)) slots.add(slot);
    }
    for (const [index, slot] of [...slots].entries()) {
      await moveSlot(slot, source, target, index === 0);
      // Under load, not in one go.
      await Promise.all(loads.map(([, load]) => load.more(100)));
    }
    await Promise.all(loads.map(([, load]) => load.more(300)));
    for (const [, load] of loads) load.pause();
    for (const [policy, load] of loads) {
      await t.test(policy, async () => {
        for (const kind of ['read', 'write'] as const) {
          const sent = await load.finished(kind);
          assert.ok(sent.length > 100);
          assert.deepEqual(
            sent.filter(({ error }) => error !== undefined),
            [],
          );
        }
      });
    }
  });
}

for (const from of ['path', 'wheel'] as const) {
  test(`once slots move, what has moved is found at once (server from the ${from})`, async (t) => {
    const redis = await needRedis(t, from);
    if (redis === undefined) return;
    const cluster = await RedisCluster.start({ redis, shards: 2, replicas: 1 });
    t.after(() => cluster.stop());
    const proxy = await startProxy(t, clusterPlan(cluster, 'REPLICA'));
    const through = client(t, portsOf(proxy)[0] ?? 0);
    const [a, b] = await cluster.shards();
    assert.ok(a && b);
    const [source, target] = [cluster.node(a.primary), cluster.node(b.primary)];
    const replica = cluster.node(a.replicas[0] ?? 0);
    await replica.client.readonly();
    const tags = new Map<number, string>();
    for (let index = 0; tags.size < 8; index++) {
      const slot = await source.client.cluster('KEYSLOT', `tag${index}`);
      if (a.slots.some(([first, last]) => first <= slot && slot <= last)) tags.set(slot, `{tag${index}}`);
    }
    for (const tag of tags.values()) {
      await through.mset(`${tag}text`, 'value', `${tag}other`, 'value');
      await through.rpush(`${tag}list`, 'value');
      await through.hset(`${tag}hash`, 'field', 'value');
    }
    for (const [index, [slot, tag]] of [...tags].entries()) {
      await mark(slot, source, target);
      if (index === 0) {
        await eventually('the first one being known', async () => {
          await through.get(`${tag}none`);
          return (proxy.status()[0]?.events['redirected'] ?? 0) > 0 ? true : undefined;
        });
      }
      await moveKeys(slot, source, target);
      // Redis 7.0 says nil from now on, Valkey ASK.
      await eventually('the replica not having the key', async () => {
        const answer = await replica.client.get(`${tag}text`).catch(() => null);
        return answer === null ? true : undefined;
      });
      const answers = await Promise.all([
        through.get(`${tag}text`),
        through.mget(`${tag}text`, `${tag}other`),
        through.llen(`${tag}list`),
        through.hgetall(`${tag}hash`),
        through.exists(`${tag}hash`),
        through.type(`${tag}list`),
        through.get(`${tag}none`),
      ]);
      assert.deepEqual(answers, ['value', ['value', 'value'], 1, { field: 'value' }, 1, 'list', null], tag);
      await handOver(slot, source, target);
    }
  });
}

test('keys of which some have moved are waited for, and then the client is told', async (t) => {
  const redis = await needRedis(t);
  if (redis === undefined) return;
  const cluster = await RedisCluster.start({ redis, shards: 2, replicas: 0 });
  t.after(() => cluster.stop());
  const proxy = await startProxy(t, clusterPlan(cluster, 'MASTER'), { failoverWaitMs: 1_000 });
  const through = client(t, portsOf(proxy)[0] ?? 0);
  const { slot, source, target } = await slotOfTag(cluster);
  await through.sadd('{tag}moved', 'value');
  await mark(slot, source, target);
  await moveKeys(slot, source, target);
  // ASK leads to the other node, which can't tell yet of a key that it lacks.
  assert.match(String(await answerOf(through.sunion('{tag}moved', '{tag}none'))), /TRYAGAIN/);
  const waiting = through.sunion('{tag}moved', '{tag}none');
  await handOver(slot, source, target);
  assert.deepEqual(await waiting, ['value']);
});

for (const from of ['path', 'wheel'] as const) {
  test(`a shard channel whose slot moves goes on (server from the ${from})`, async (t) => {
    const redis = await needRedis(t, from);
    if (redis === undefined) return;
    const cluster = await RedisCluster.start({ redis, shards: 2, replicas: 0 });
    t.after(() => cluster.stop());
    const [port = 0] = portsOf(await startProxy(t, clusterPlan(cluster, 'MASTER')));
    const publisher = client(t, port);
    const [a, b] = await cluster.shards();
    assert.ok(a && b);
    const slot = await publisher.cluster('KEYSLOT', '{tag}');
    const isOfA = a.slots.some(([first, last]) => first <= slot && slot <= last);
    const [one, other] = [cluster.node((isOfA ? a : b).primary), cluster.node((isOfA ? b : a).primary)];
    const subscriber = clientOf(t, port);
    const send = (words: string): void => void subscriber.socket.write(`${words}\r\n`);
    const isTold = async (what: string, text: string): Promise<void> => {
      await eventually(what, () => subscriber.got().includes(text) || undefined, PATIENT);
    };
    const reaches = async (channel: string, message: string): Promise<void> => {
      const isThere = async (): Promise<true | undefined> => {
        await publisher.spublish(channel, message);
        return subscriber.got().includes(`${message}\r\n`) || undefined;
      };
      await eventually(`${message} on ${channel}`, isThere, PATIENT);
    };
    send('SSUBSCRIBE {tag}first');
    await isTold('the confirmation', '{tag}first');
    await mark(slot, one, other);
    await handOver(slot, one, other);
    // The proxy has not heard of it but by this.
    send('SSUBSCRIBE {tag}second');
    await isTold('the second confirmation', '{tag}second');
    for (const channel of ['{tag}first', '{tag}second']) await reaches(channel, `once ${channel}`);
    const elsewhere = await keyOf(isOfA ? a : b, slot, publisher);
    send(`SSUBSCRIBE ${elsewhere}`);
    // Of both nodes, as one Redis would count.
    await isTold('the third confirmation', `${elsewhere}\r\n:3\r\n`);
    await mark(slot, other, one);
    await handOver(slot, other, one);
    for (const channel of ['{tag}first', '{tag}second']) await reaches(channel, `again ${channel}`);
    assert.doesNotMatch(subscriber.got(), /sunsubscribe|MOVED/);
    send('SUNSUBSCRIBE');
    await eventually(
      'all being left',
      () => subscriber.got().split('sunsubscribe').length === 4 || undefined,
    );
    const subscribed = async (): Promise<unknown[]> =>
      await Promise.all([one, other].map(({ client: node }) => node.call('PUBSUB', 'SHARDCHANNELS')));
    await eventually(
      'nobody being subscribed',
      async () => (await subscribed()).flat().length === 0 || undefined,
    );
  });
}

for (const [policy, from] of [
  ['MASTER', 'path'],
  ['REPLICA', 'path'],
  ['REPLICA', 'wheel'],
] as const) {
  test(`what can be split has the keys of a slot that is half moved (${policy}, server from the ${from})`, async (t) => {
    const redis = await needRedis(t, from);
    if (redis === undefined) return;
    const cluster = await RedisCluster.start({ redis, shards: 2, replicas: policy === 'MASTER' ? 0 : 1 });
    t.after(() => cluster.stop());
    const proxy = await startProxy(t, clusterPlan(cluster, policy));
    const through = client(t, portsOf(proxy)[0] ?? 0);
    const { slot, source, target } = await slotOfTag(cluster);
    const [moved, stays, none, late] = ['{tag}moved', '{tag}stays', '{tag}none', '{tag}late'];
    await through.mset(moved, '1', stays, '2');
    await mark(slot, source, target);
    // Replicas of Redis 7.0 can't be seen to lack what has moved before the proxy has heard of it.
    await eventually('its being known', async () => {
      await through.get(none);
      return (proxy.status()[0]?.events['redirected'] ?? 0) > 0 ? true : undefined;
    });
    await source.client.call('MIGRATE', '127.0.0.1', String(target.port), '', '0', '2000', 'KEYS', moved);
    assert.deepEqual(await through.mget(moved, none, stays, moved), ['1', null, '2', '1']);
    assert.equal(await through.exists(stays, moved, none, stays), 3);
    assert.equal(await through.touch(stays, moved, none), 2);
    assert.equal(await through.mset(moved, '3', stays, '4', late, '5'), 'OK');
    assert.deepEqual(await through.mget(stays, moved, late, none), ['4', '3', '5', null]);
    assert.equal(await through.del(moved, none, stays), 2);
    assert.equal(await through.unlink(moved, late), 1);
    assert.equal(await through.exists(moved, stays, late), 0);
  });
}

test('a write to where a slot has gone is carried out behind what its former node has not answered', async (t) => {
  const redis = await needRedis(t);
  if (redis === undefined) return;
  const cluster = await RedisCluster.start({ redis, shards: 2, replicas: 0 });
  t.after(() => cluster.stop());
  const proxy = await startProxy(t, clusterPlan(cluster, 'MASTER'));
  const [port = 0] = portsOf(proxy);
  const { slot, source, target } = await slotOfTag(cluster);
  const writer = clientOf(t, port);
  await source.client.call('CLIENT', 'PAUSE', '60000', 'WRITE');
  writer.socket.write('SET {tag} 1\r\n');
  // Come, not sent: a slot that is gone by then is asked of who has it.
  await eventually(
    'the first write',
    async () => /\bflags=b\b/.test(String(await source.client.call('CLIENT', 'LIST'))) || undefined,
  );
  await handOver(slot, source, target);
  // With RESP3, on a connection that is not held up: this tells the proxy.
  assert.equal(await client(t, port).get('{tag}'), null);
  writer.socket.write('SET {tag} 2\r\n');
  await eventually('the second write', async () => {
    const isThere = (await target.client.get('{tag}')) === '2';
    return isThere || (proxy.status()[0]?.events['held'] ?? 0) > 0 || undefined;
  });
  await source.client.call('CLIENT', 'UNPAUSE');
  await eventually('both replies', () => writer.got() === '+OK\r\n+OK\r\n' || undefined);
  assert.equal(await target.client.get('{tag}'), '2');
});

/** One that the shard has, but not in this slot. */
async function keyOf({ slots }: Shard, but: number, asked: Redis): Promise<string> {
  for (let index = 0; ; index++) {
    const slot = await asked.cluster('KEYSLOT', `key${index}`);
    if (slot !== but && slots.some(([first, last]) => first <= slot && slot <= last)) return `key${index}`;
  }
}

/** That of `{tag}`, of two shards: who has it, and who has not. */
async function slotOfTag(
  cluster: RedisCluster,
): Promise<{ readonly slot: number; readonly source: ClusterNode; readonly target: ClusterNode }> {
  const [a, b] = await cluster.shards();
  assert.ok(a && b);
  const slot = await cluster.node(a.primary).client.cluster('KEYSLOT', 'tag');
  const isOfA = a.slots.some(([first, last]) => first <= slot && slot <= last);
  const [owner, other] = isOfA ? [a, b] : [b, a];
  return { slot, source: cluster.node(owner.primary), target: cluster.node(other.primary) };
}
