import assert from 'node:assert/strict';
import { suite, test } from 'node:test';

import type { Redis } from 'ioredis';

import { eventually } from '../../src/demo/eventually.ts';
import { RedisCluster } from '../../src/demo/redis-cluster.ts';
import { slotOf } from '../../src/redis/slots.ts';
import { needRedis } from './environment.ts';
import { client, clusterPlan, portsOf, startProxy } from './proxy-setting.ts';

/** Each waits for ever (0), or again and again for so many milliseconds. */
const COMMANDS: readonly (readonly [command: string, limitMs: number])[] = [
  ['BLPOP {q} 0', 0],
  ['BRPOP {q} 0', 0],
  ['BLPOP {q} 0.7', 700],
  ['BRPOP {q} 1', 1_000],
  ['BLMPOP 0 1 {q} LEFT', 0],
  ['BLMOVE {q} {q}done LEFT RIGHT 0', 0],
  ['BRPOPLPUSH {q} {q}done 1', 1_000],
  ['BZPOPMIN {q}sorted 0', 0],
  ['BZMPOP 1 1 {q}sorted MAX', 1_000],
  ['XREADGROUP GROUP group one BLOCK 0 COUNT 1 STREAMS {q}stream >', 0],
  ['XREADGROUP GROUP group two BLOCK 700 COUNT 1 STREAMS {q}stream >', 700],
];
const ELEMENTS = 30;

suite('whoever waits when the primary is killed', { concurrency: true }, () => {
  for (const from of ['path', 'wheel'] as const) {
    test(`goes on waiting at the next, without an error (server from the ${from})`, async (t) => {
      const redis = await needRedis(t, from);
      if (redis === undefined) return;
      const cluster = await RedisCluster.start({ redis, replicas: 1, nodeTimeoutMs: 1_000 });
      t.after(() => cluster.stop());
      const [port = 0] = portsOf(await startProxy(t, clusterPlan(cluster, 'MASTER')));
      const producer = client(t, port);
      await producer.xgroup('CREATE', '{q}stream', 'group', '$', 'MKSTREAM');
      const slot = slotOf(Buffer.from('q'), 0, 1);
      const shard = (await cluster.shards()).find(({ slots }) =>
        slots.some(([first, last]) => first <= slot && slot <= last),
      );
      const victim = cluster.node(shard?.primary ?? assert.fail());
      await cluster.replicated();

      const got: string[] = [];
      const errors: string[] = [];
      const early: string[] = [];
      const over = new AbortController();
      const consume = async (consumer: Redis, command: string, limitMs: number): Promise<void> => {
        const [name = '', ...args] = command.split(' ');
        while (!over.signal.aborted) {
          const before = performance.now();
          const reply = await consumer.call(name, ...args);
          if (reply !== null) got.push(...new Set(JSON.stringify(reply).match(/element\d+/g)));
          // Redis looks at its clock as it was when it began to look at what has come.
          else if (performance.now() < before + limitMs - 20) early.push(command);
        }
      };
      for (const [command, limitMs] of COMMANDS) {
        consume(client(t, port), command, limitMs).catch((error: unknown) => {
          if (!over.signal.aborted) errors.push(`${command}: ${String(error)}`);
        });
      }
      t.after(() => over.abort());
      const waitingAt = async (node: Redis): Promise<true | undefined> =>
        new RegExp(`blocked_clients:${COMMANDS.length}\\b`).test(await node.info('clients')) || undefined;
      await eventually('all of them waiting', () => waitingAt(victim.client));

      await cluster.kill(victim);
      const [next = assert.fail()] = (shard?.replicas ?? []).map((each) => cluster.node(each));
      await eventually('all of them waiting at the next', () => waitingAt(next.client), {
        seen: () => errors.join('; '),
      });
      const pushed: string[] = [];
      for (let index = 0; index < ELEMENTS; index++) {
        const names = [0, 1, 2].map((kind) => `element${3 * index + kind}`);
        const [ofList = '', ofSet = '', ofStream = ''] = names;
        pushed.push(...names);
        await producer.rpush('{q}', ofList);
        await producer.zadd('{q}sorted', index, ofSet);
        await producer.xadd('{q}stream', '*', 'field', ofStream);
      }
      await eventually('all elements', () => got.length >= pushed.length || undefined, {
        seen: () => `${got.length}, ${errors.join('; ')}`,
      });
      assert.deepEqual(got.toSorted(), pushed.toSorted());
      assert.deepEqual(errors, []);
      assert.deepEqual(early, []);
    });
  }
});
