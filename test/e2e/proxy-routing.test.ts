import assert from 'node:assert/strict';
import { connect as connectSocket } from 'node:net';
import { test, type TestContext } from 'node:test';

import { Redis } from 'ioredis';
import { createClient } from 'redis';

import type { ReadPolicy } from '../../src/api/objects.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { RedisCluster } from '../../src/demo/redis-cluster.ts';
import type { BoundListener, RoutingPlan } from '../../src/plan/routing-plan.ts';
import { needRedis } from './environment.ts';
import { client, clusterPlan, portsOf, startProxy } from './proxy-setting.ts';
import { answerOf } from './sidecar.ts';

const PLAIN = { reads: undefined, mirrors: [] } as const;
const KEYS = Array.from({ length: 2_000 }, (_, index) => `key:${index}`);

async function startCluster(
  t: TestContext,
  config: Record<string, string> = {},
): Promise<RedisCluster | undefined> {
  const redis = await needRedis(t);
  if (redis === undefined) return undefined;
  const cluster = await RedisCluster.start({ redis, replicas: 1, config });
  t.after(() => cluster.stop());
  return cluster;
}

/** A listener per policy, all before one upstream. */
function everyPolicy(cluster: RedisCluster, policies: readonly ReadPolicy[]): RoutingPlan {
  const plans = policies.map((policy) => clusterPlan(cluster, policy));
  const upstreams = plans[0]?.upstreams ?? new Map();
  return {
    upstreams,
    listeners: plans.flatMap(({ listeners }, index) =>
      listeners.map(({ listener, bind }) => ({
        bind: { ...bind, address: `127.0.0.${index + 1}` },
        listener: { ...listener, id: `${listener.id}-${index}` },
      })),
    ),
  };
}

const POLICIES: [policy: ReadPolicy, readsOnPrimaries: number][] = [
  ['MASTER', 1],
  ['PREFER_MASTER', 1],
  ['REPLICA', 0],
  ['PREFER_REPLICA', 0],
  ['ANY', 0.5],
];

test('commands through the proxy reach the nodes that policies and slots say', async (t) => {
  const cluster = await startCluster(t);
  if (cluster === undefined) return;
  const proxy = await startProxy(
    t,
    everyPolicy(
      cluster,
      POLICIES.map(([policy]) => policy),
    ),
    // A slow reply would be asked of another node too.
    { hedgeAfterMs: 60_000 },
  );
  const ports = portsOf(proxy);
  const gets = async (): Promise<{ primaries: number; replicas: number }> => {
    const sum = { primaries: 0, replicas: 0 };
    for (const node of cluster.nodes) {
      const stats = await node.client.info('commandstats');
      const role = (await node.client.info('replication')).includes('role:master') ? 'primaries' : 'replicas';
      sum[role] += Number(/cmdstat_get:calls=(\d+)/.exec(stats)?.[1] ?? 0);
    }
    return sum;
  };
  const first = client(t, ports[0] ?? 0);
  const writes = first.pipeline();
  for (const key of KEYS) writes.set(key, `value of ${key}`);
  assert.ok((await writes.exec())?.every(([error]) => error === null));
  await cluster.replicated();

  for (const [index, [policy, share]] of POLICIES.entries()) {
    await t.test(`${policy}: ${share * 100} % of the reads on primaries, every reply its own`, async () => {
      const through = client(t, ports[index] ?? 0, { host: `127.0.0.${index + 1}` });
      await through.ping();
      const before = await gets();
      const reads = through.pipeline();
      for (const key of KEYS) reads.get(key);
      const replies = await reads.exec();
      assert.deepEqual(
        replies?.map(([, value]) => value),
        KEYS.map((key) => `value of ${key}`),
      );
      const after = await gets();
      const onPrimaries = (after.primaries - before.primaries) / KEYS.length;
      assert.ok(Math.abs(onPrimaries - share) < 0.01, `${onPrimaries} of the reads were on primaries`);
    });
  }

  await t.test('MGET, MSET, DEL, EXISTS, TOUCH and UNLINK span slots', async () => {
    const keys = Array.from({ length: 100 }, (_, index) => `split:${index}`);
    assert.equal(await first.mset(...keys.flatMap((key) => [key, `of ${key}`])), 'OK');
    const asked = [...keys, 'split:none', keys[0] ?? ''];
    assert.deepEqual(await first.mget(...asked), [...keys.map((key) => `of ${key}`), null, 'of split:0']);
    assert.equal(await first.exists(...asked), 101);
    assert.equal(await first.touch(...asked), 101);
    assert.equal(await first.unlink(...keys.slice(0, 40), 'split:none'), 40);
    assert.equal(await first.del(...asked), 60);
  });

  await t.test('MGET of keys under one tag, a key of another type among them', async () => {
    await first.mset('{t}a', '1', '{t}b', '2');
    await first.del('list');
    await first.lpush('list', 'x');
    assert.deepEqual(await first.mget('{t}b', 'list', '{t}a', '{t}none'), ['2', null, '1', null]);
  });

  await t.test('values of all sizes come back as they were', async () => {
    for (const size of [0, 1, 47, 48, 49, 4_096, 65_530, 65_536, 70_000, 3_000_000]) {
      const value = Buffer.alloc(size, `${size}\r\n`);
      assert.equal(await first.set('sized', value), 'OK');
      assert.deepEqual(await first.getBuffer('sized'), value);
      assert.deepEqual(await first.mgetBuffer('sized', 'none', 'sized'), [value, null, value]);
    }
  });

  await t.test('scripts run where their key is', async () => {
    assert.equal(await first.eval('return redis.call("SET", KEYS[1], ARGV[1])', 1, 'script:key', 'x'), 'OK');
    assert.equal(await first.get('script:key'), 'x');
  });

  await t.test("what is wrong is said in Redis' words", async () => {
    const direct = cluster.nodes[0]?.client;
    for (const command of [
      ['GET'],
      ['NOSUCH', 'a', 'b'],
      ['MSET', 'a'],
      ['CLIENT', 'NOSUCH'],
      ['SELECT', 'x'],
    ]) {
      const [name = '', ...args] = command;
      assert.equal(
        await answerOf(first.call(name, ...args)),
        await answerOf(direct?.call(name, ...args) ?? Promise.resolve()),
      );
    }
  });

  await t.test('node-redis and a cluster client connect at their defaults', async () => {
    const node = createClient({ url: `redis://127.0.0.1:${ports[0]}` });
    t.after(() => node.destroy());
    node.on('error', () => {});
    await node.connect();
    assert.equal(await node.get('key:7'), 'value of key:7');
    const cluster = new Redis.Cluster([{ host: '127.0.0.1', port: ports[0] ?? 0 }]);
    t.after(() => cluster.disconnect());
    assert.equal(await cluster.get('key:8'), 'value of key:8');
  });

  await t.test('RESP2 and RESP3 clients each have their own', async () => {
    await first.hset('hash', 'field', 'value');
    assert.equal(await raw(ports[0] ?? 0, 'HGETALL hash\r\n', 5), '*2\r\n$5\r\nfield\r\n$5\r\nvalue\r\n');
    const three = await raw(ports[0] ?? 0, 'HELLO 3\r\nHGETALL hash\r\nGET none\r\n', /_\r\n$/);
    assert.ok(three.endsWith('%1\r\n$5\r\nfield\r\n$5\r\nvalue\r\n_\r\n'), three);
  });

  await t.test('a command in single bytes is a command', async () => {
    const bytes = '*3\r\n$3\r\nSET\r\n$5\r\nslow:\r\n$2\r\nxy\r\n*2\r\n$3\r\nGET\r\n$5\r\nslow:\r\n';
    assert.equal(await raw(ports[0] ?? 0, bytes, 2, true), '+OK\r\n$2\r\nxy\r\n');
  });

  await t.test('another plan is carried out from the next command on, connections stay', async () => {
    const through = client(t, ports[0] ?? 0);
    await through.get('key:1');
    const closed = { count: 0 };
    through.on('close', () => {
      closed.count += 1;
    });
    const before = await gets();
    const plan = everyPolicy(
      cluster,
      POLICIES.map(() => 'REPLICA'),
    );
    await proxy.update(plan);
    await eventually('the new topology', () => (proxy.notReady() === undefined ? true : undefined));
    for (const key of KEYS.slice(0, 100)) await through.get(key);
    const after = await gets();
    assert.deepEqual([after.primaries - before.primaries, after.replicas - before.replicas], [0, 100]);
    assert.equal(closed.count, 0);
  });
});

test('prefixes choose upstreams, and may be removed on the way', async (t) => {
  const cluster = await startCluster(t);
  if (cluster === undefined) return;
  const plan = clusterPlan(cluster, 'MASTER');
  const [upstream = ''] = plan.upstreams.keys();
  const listeners: BoundListener[] = plan.listeners.map(({ bind, listener }) => ({
    bind,
    listener: {
      ...listener,
      routes: {
        prefixes: [
          { prefix: 'ab', upstream, removePrefix: false, ...PLAIN },
          { prefix: 'abc:', upstream, removePrefix: true, ...PLAIN },
          { prefix: 'lost:', upstream: 'nosuch', removePrefix: false, ...PLAIN },
        ],
        catchAll: undefined,
        caseInsensitive: false,
      },
    },
  }));
  const proxy = await startProxy(t, { ...plan, listeners });
  const through = client(t, portsOf(proxy)[0] ?? 0, { enableReadyCheck: false });

  await t.test('the longest prefix wins, and what is removed is removed from every key', async () => {
    await through.mset('abc:one', '1', 'abc:two', '2', 'abx', '3');
    assert.deepEqual(await through.mget('abc:two', 'abx', 'abc:one'), ['2', '3', '1']);
    await through.set('abc:{x}k', '4');
    assert.equal(await through.call('COPY', 'abc:{x}k', 'abc:{x}l'), 1);
    const direct = client(t, portsOf(await startProxy(t, clusterPlan(cluster, 'MASTER')))[0] ?? 0);
    assert.deepEqual(await direct.mget('one', 'two', 'abx', '{x}l', 'abc:one'), ['1', '2', '3', '4', null]);
  });

  await t.test('a key that no route takes is refused, and nothing is done by half', async () => {
    assert.equal(await answerOf(through.get('other')), 'no upstream host');
    assert.equal(await answerOf(through.mset('abx', 'changed', 'other', 'x')), 'no upstream host');
    assert.equal(await through.get('abx'), '3');
  });

  await t.test('an upstream that is not there fails its own keys at once', async () => {
    assert.equal(await answerOf(through.get('lost:k')), 'upstream failure');
  });
});

test('passwords on both sides', async (t) => {
  const cluster = await startCluster(t, { requirepass: 'upstream-secret', masterauth: 'upstream-secret' });
  if (cluster === undefined) return;
  const passwords = { client: 'client-secret', upstream: 'upstream-secret' };
  const plan = clusterPlan(cluster, 'ANY', passwords);
  const proxy = await startProxy(t, plan);
  const [port = 0] = portsOf(proxy);

  await t.test('the right one opens', async () => {
    assert.equal(await client(t, port, { password: 'client-secret' }).set('k', 'v'), 'OK');
  });

  await t.test('RESP2 and AUTH too', async () => {
    assert.equal(await raw(port, 'AUTH client-secret\r\nGET k\r\n', 3), '+OK\r\n$1\r\nv\r\n');
  });

  await t.test('without or with a wrong one nothing is answered', async () => {
    const refused = '-NOAUTH Authentication required.\r\n';
    assert.equal(await raw(port, 'GET k\r\nPING\r\n', 2), refused + refused);
    const wrong = '-WRONGPASS invalid username-password pair or user is disabled.\r\n';
    assert.equal(await raw(port, 'AUTH upstream-secret\r\nGET k\r\n', 2), wrong + refused);
  });

  await t.test('a password that was never known keeps the listener closed', async () => {
    const listeners = plan.listeners.map(({ bind, listener }) => ({
      bind,
      listener: { ...listener, clientAuth: { kind: 'unavailable', why: 'test' } as const },
    }));
    const closed = await startProxy(t, { ...plan, listeners });
    const text = await raw(portsOf(closed)[0] ?? 0, 'AUTH x\r\nAUTH ""\r\nGET k\r\n', 3);
    assert.match(text, /^-WRONGPASS.*\r\n-WRONGPASS.*\r\n-NOAUTH.*\r\n$/);
  });
});

/** Sends bytes and reads until so many lines have come, or what is waited for. */
async function raw(
  port: number,
  text: string,
  until: number | RegExp,
  inSingleBytes = false,
): Promise<string> {
  const socket = connectSocket({ host: '127.0.0.1', port, noDelay: true });
  let seen = '';
  socket.on('data', (chunk: Buffer) => {
    seen += chunk.toString('latin1');
  });
  if (inSingleBytes) {
    for (const byte of text) {
      socket.write(byte);
      await new Promise(setImmediate);
    }
  } else {
    socket.write(text);
  }
  const isThere = (): boolean =>
    typeof until === 'number' ? seen.split('\r\n').length > until : until.test(seen);
  await eventually(`${until} lines`, () => (isThere() ? true : undefined), { seen: () => seen });
  socket.destroy();
  return seen;
}
