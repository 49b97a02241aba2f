import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Redis } from 'ioredis';
import { createClient } from 'redis';

import { eventually } from '../../src/demo/eventually.ts';
import { RedisCluster } from '../../src/demo/redis-cluster.ts';
import { needRedis } from './environment.ts';
import { catchAll, servers, startListener, startServers } from './proxy-servers.ts';
import { client, clusterPlan, portsOf, startProxy } from './proxy-setting.ts';
import { answerOf } from './sidecar.ts';

/** How many connections of the nodes wait, are subscribed or in a transaction. */
async function connections(cluster: RedisCluster): Promise<number> {
  const lists = await Promise.all(cluster.nodes.map(({ client: node }) => node.client('LIST')));
  return String(lists).match(/ flags=\w*[bPx]/g)?.length ?? 0;
}

test('transactions, subscriptions and blocking commands', async (t) => {
  const redis = await needRedis(t);
  if (redis === undefined) return;
  const cluster = await RedisCluster.start({ redis, replicas: 1 });
  t.after(() => cluster.stop());
  const [port = 0] = portsOf(await startProxy(t, clusterPlan(cluster, 'REPLICA')));
  const one = client(t, port);
  const other = client(t, port);

  await t.test('a transaction is carried out whole, in one reply', async () => {
    const replies = await one.multi().set('{t}a', '1').incr('{t}a').get('{t}a').exec();
    assert.deepEqual(
      replies?.map(([, value]) => value),
      ['OK', 2, '2'],
    );
  });

  await t.test('two transactions in one pipeline are two', async () => {
    const send = (key: string): Promise<unknown>[] => [
      one.call('MULTI'),
      one.call('SET', key, key),
      one.call('GET', key),
      one.call('EXEC'),
    ];
    const replies = await Promise.all([...send('x'), ...send('y')]);
    const expected = (key: string): unknown[] => ['OK', 'QUEUED', 'QUEUED', ['OK', key]];
    assert.deepEqual(replies, [...expected('x'), ...expected('y')]);
  });

  await t.test('what comes before the first key is queued too', async () => {
    assert.deepEqual(
      await Promise.all([one.call('MULTI'), one.call('PING'), one.call('SET', 'k', 'v'), one.call('EXEC')]),
      ['OK', 'QUEUED', 'QUEUED', ['PONG', 'OK']],
    );
    assert.deepEqual(await Promise.all([one.call('MULTI'), one.call('PING'), one.call('EXEC')]), [
      'OK',
      'QUEUED',
      ['PONG'],
    ]);
    assert.deepEqual(await Promise.all([one.call('MULTI'), one.call('EXEC')]), ['OK', []]);
  });

  await t.test('DISCARD undoes it', async () => {
    await one.set('{t}b', 'before');
    await Promise.all([one.call('MULTI'), one.call('SET', '{t}b', 'after'), one.call('DISCARD')]);
    // Its replica may have it later.
    const value = await eventually('a value', async () => (await other.get('{t}b')) ?? undefined);
    assert.equal(value, 'before');
  });

  await t.test("mistakes are answered in Redis' words", async () => {
    assert.equal(await answerOf(one.call('EXEC')), 'ERR EXEC without MULTI');
    assert.equal(await answerOf(one.call('DISCARD')), 'ERR DISCARD without MULTI');
    const crossing = await Promise.all(
      [one.call('MULTI'), one.call('SET', 'a', '1'), one.call('SET', 'b', '2'), one.call('EXEC')].map(
        answerOf,
      ),
    );
    assert.deepEqual(crossing, [
      'OK',
      'QUEUED',
      "CROSSSLOT Keys in request don't hash to the same slot",
      'EXECABORT Transaction discarded because of previous errors.',
    ]);
    const counted = await Promise.all(
      [
        one.call('EXEC', 'y'),
        one.call('MULTI', 'x'),
        one.call('MULTI'),
        one.call('SET', 'a', '1'),
        one.call('EXEC', 'y'),
        one.call('EXEC'),
        one.call('WATCH', 'a'),
        one.call('UNWATCH', 'b'),
        one.call('MULTI'),
        one.call('DISCARD', 'y'),
        one.call('EXEC'),
      ].map(answerOf),
    );
    assert.deepEqual(counted, [
      "EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command",
      "ERR wrong number of arguments for 'multi' command",
      'OK',
      'QUEUED',
      "EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command",
      'ERR EXEC without MULTI',
      'OK',
      "ERR wrong number of arguments for 'unwatch' command",
      'OK',
      "ERR wrong number of arguments for 'discard' command",
      'EXECABORT Transaction discarded because of previous errors.',
    ]);
    const wrong = await Promise.all(
      [one.call('MULTI'), one.call('SET', 'a'), one.call('EXEC')].map(answerOf),
    );
    assert.deepEqual(wrong, [
      'OK',
      "ERR wrong number of arguments for 'set' command",
      'EXECABORT Transaction discarded because of previous errors.',
    ]);
  });

  await t.test('a watched key that somebody changes stops the transaction', async () => {
    await one.watch('{t}w');
    await other.set('{t}w', 'changed');
    assert.equal(await one.multi().set('{t}w', 'mine').exec(), null);
    // Its replica may have it later.
    await eventually('the value', async () => (await other.get('{t}w')) === 'changed' || undefined);
    await one.watch('{t}w');
    assert.equal(await one.get('{t}w'), 'changed');
    assert.deepEqual(await one.multi().set('{t}w', 'mine').exec(), [[null, 'OK']]);
    await one.watch('{t}w');
    await other.set('{t}w', 'changed');
    await one.unwatch();
    assert.deepEqual(await one.multi().set('{t}w', 'mine').exec(), [[null, 'OK']]);
  });

  await t.test('while keys are watched, commands of one client do not overtake each other', async () => {
    const pipelines: readonly (readonly [commands: readonly string[], replies: readonly unknown[]])[] = [
      [
        ['WATCH {t}o', 'SET {t}o 5', 'DEL {t}o {u}a {v}b', 'GET {t}o', 'UNWATCH'],
        ['OK', 'OK', 1, null, 'OK'],
      ],
      [
        ['WATCH {t}o', 'MSET {t}o 5 {u}a 1', 'GET {t}o', 'DEL {t}o {u}a', 'UNWATCH'],
        ['OK', 'OK', '5', 2, 'OK'],
      ],
      // Redis counts what the client itself changes.
      [
        ['WATCH {t}o', 'MSET {t}o 5 {u}a 1', 'MULTI', 'GET {t}o', 'EXEC', 'DEL {t}o {u}a'],
        ['OK', 'OK', 'OK', 'QUEUED', null, 2],
      ],
    ];
    for (const [commands, replies] of pipelines) {
      for (let round = 0; round < 20; round++) {
        const pipeline = one.pipeline();
        for (const command of commands) pipeline.call(...(command.split(' ') as [string]));
        const seen = await pipeline.exec();
        assert.deepEqual(
          seen?.map(([error, reply]) => error ?? reply),
          replies,
        );
      }
    }
  });

  for (const protocol of [2, 3] as const) {
    await t.test(`RESP${protocol}: messages reach who subscribed, and nobody else`, async () => {
      // Of its own: between nodes of the cluster the other protocol's last message may still be on its way.
      const news = `news${protocol}`;
      const subscriber = new Redis({ host: '127.0.0.1', port, protocol });
      subscriber.on('error', () => {});
      t.after(() => subscriber.disconnect());
      const seen: string[] = [];
      subscriber.on('message', (channel, message) => seen.push(`${channel} ${message}`));
      subscriber.on('pmessage', (pattern, channel, message) => seen.push(`${pattern} ${channel} ${message}`));
      assert.equal(await subscriber.subscribe(news, 'other'), 2);
      assert.equal(await subscriber.psubscribe(`ne?s${protocol}`), 3);
      await other.publish(news, 'one');
      await eventually('both messages', () => (seen.length >= 2 ? true : undefined));
      assert.deepEqual(seen.toSorted(), [`ne?s${protocol} ${news} one`, `${news} one`]);
      if (protocol === 2) {
        assert.match(String(await answerOf(subscriber.call('GET', 'x'))), /subscriber mode|only \(P\|S\)/);
      }
      await subscriber.unsubscribe(news, 'other');
      await subscriber.punsubscribe(`ne?s${protocol}`);
      await subscriber.set('{t}after', 'x');
      assert.equal(await other.call('GET', '{t}w').then(() => 'ok'), 'ok');
      await other.publish(news, 'two');
      await subscriber.ping();
      assert.equal(seen.length, 2);
    });
  }

  await t.test('node-redis subscribes, to shard channels too', async () => {
    const node = createClient({ url: `redis://127.0.0.1:${port}` });
    node.on('error', () => {});
    t.after(() => node.destroy());
    await node.connect();
    const seen: string[] = [];
    await node.subscribe('n', (message) => void seen.push(message));
    await node.sSubscribe('shard', (message) => void seen.push(message));
    assert.equal(await node.get('none'), null);
    await other.publish('n', 'classic');
    await other.call('SPUBLISH', 'shard', 'sharded');
    await eventually('both messages', () => (seen.length === 2 ? true : undefined), {
      seen: () => seen.join(', '),
    });
  });

  await t.test('a subscription to a shard channel waits for a primary that is silent', async () => {
    const proxy = await startProxy(t, clusterPlan(cluster, 'REPLICA'));
    const subscriber = client(t, portsOf(proxy)[0] ?? 0);
    // A connection to some node, which must not be taken for the shard's.
    await subscriber.subscribe('classic');
    const slot = (await cluster.nodes[0]?.client.cluster('KEYSLOT', 'shard')) ?? 0;
    const shard = (await cluster.shards()).find(({ slots }) =>
      slots.some(([first, last]) => first <= slot && slot <= last),
    );
    const primary = cluster.node(shard?.primary ?? 0);
    primary.process.signal('SIGSTOP');
    await eventually('the proxy noticing', () => {
      const nodes = proxy.status().flatMap((upstream) => upstream.nodes);
      const state = nodes.find(({ address }) => address.endsWith(`:${primary.port}`))?.state;
      return state === 'fit' ? undefined : true;
    }).finally(() => setTimeout(() => primary.process.signal('SIGCONT'), 200));
    assert.equal(await subscriber.ssubscribe('shard'), 1);
  });

  await t.test('a subscription lives on when its connection to Redis is cut', async () => {
    const subscriber = client(t, port);
    const seen: string[] = [];
    subscriber.on('message', (_, message) => seen.push(message));
    await subscriber.subscribe('cut');
    const before = await connections(cluster);
    for (const node of cluster.nodes) await node.client.call('CLIENT', 'KILL', 'TYPE', 'PUBSUB');
    await eventually('a message', async () => {
      await other.publish('cut', 'again');
      return seen.length > 0 ? true : undefined;
    });
    // Those of the other clients too, or the next test would count them as its own.
    await eventually('every subscription being back', async () =>
      (await connections(cluster)) >= before ? true : undefined,
    );
  });

  await t.test('a client that waits holds up nobody, and gets what comes', async () => {
    const waiting = client(t, port);
    const popped = waiting.blpop('queue', 0);
    const behind = waiting.get('none');
    assert.equal(await other.set('{t}q', 'x'), 'OK');
    await other.rpush('queue', 'item');
    assert.deepEqual(await popped, ['queue', 'item']);
    assert.equal(await behind, null);
  });

  await t.test('a wait that ends without anything', async () => {
    assert.equal(await one.blpop('none', 0.05), null);
    assert.equal(await one.call('XREAD', 'BLOCK', '20', 'STREAMS', 'nostream', '$'), null);
    assert.equal(await one.call('XREAD', 'STREAMS', 'nostream', '0'), null);
    assert.equal(await one.call('WAIT', '0', '10').then((value) => Number(value) >= 0), true);
  });

  await t.test('a client that goes leaves no connection behind', async () => {
    const before = await connections(cluster);
    const waiting = client(t, port);
    const popped = answerOf(waiting.blpop('nothing', 0));
    const subscriber = client(t, port);
    await subscriber.subscribe('c');
    const inside = client(t, port);
    await inside.call('MULTI');
    await inside.call('SET', 'a', 'b');
    await eventually('three more connections', async () =>
      (await connections(cluster)) >= before + 3 ? true : undefined,
    );
    for (const each of [waiting, subscriber, inside]) each.disconnect();
    await popped;
    await eventually('as many connections as before', async () =>
      (await connections(cluster)) <= before ? true : undefined,
    );
  });
});

test('what is published to shard channels of several plain servers reaches whoever subscribed to them', async (t) => {
  const nodes = await startServers(t, 2);
  if (nodes === undefined) return;
  const port = await startListener(t, [servers('a', nodes)], () => catchAll('a'));
  const [subscriber, publisher] = [client(t, port), client(t, port)];
  // With hash tags, too, which do not count here.
  const channels = Array.from({ length: 16 }, (_, index) => (index < 8 ? `c${index}` : `{tag}${index}`));
  const got: string[] = [];
  subscriber.on('smessage', (channel: string) => void got.push(channel));
  assert.equal(await subscriber.ssubscribe(...channels), channels.length);
  const receivers = await Promise.all(channels.map((channel) => publisher.spublish(channel, 'x')));
  assert.deepEqual(
    receivers,
    channels.map(() => 1),
  );
  await eventually('the messages', () => got.length === channels.length || undefined);
  assert.deepEqual(got.toSorted(), channels.toSorted());
  assert.equal(await subscriber.sunsubscribe(...channels), 0);
});
