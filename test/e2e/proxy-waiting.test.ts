import assert from 'node:assert/strict';
import { suite, test } from 'node:test';

import type { Redis } from 'ioredis';

import { eventually } from '../../src/demo/eventually.ts';
import { RedisCluster, type ClusterNode } from '../../src/demo/redis-cluster.ts';
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
const ELEMENTS = 10;

interface Way {
  readonly name: string;
  readonly isGone: boolean;
  readonly go: (primary: ClusterNode, replica: ClusterNode) => unknown;
}

/** What becomes of the primary at which all wait. */
const WAYS: readonly Way[] = [
  {
    name: 'hands over to a replica',
    isGone: false,
    go: (_, replica) => replica.client.cluster('FAILOVER'),
  },
  { name: 'is stopped', isGone: true, go: (primary) => primary.process.signal('SIGSTOP') },
  { name: 'is killed', isGone: true, go: (primary) => primary.process.signal('SIGKILL') },
];

/** How far it is in the stream of its shard's writes. */
async function offsetOf({ client: node }: ClusterNode, field: string): Promise<number> {
  return Number(new RegExp(`${field}:(\\d+)`).exec(await node.info('replication'))?.[1]);
}

suite('whoever waits', { concurrency: true }, () => {
  for (const from of ['path', 'wheel'] as const) {
    test(`server from the ${from}`, async (t) => {
      const redis = await needRedis(t, from);
      if (redis === undefined) return;
      const cluster = await RedisCluster.start({ redis, nodeTimeoutMs: 1_000 });
      t.after(() => cluster.stop());
      const [port = 0] = portsOf(await startProxy(t, clusterPlan(cluster, 'MASTER')));
      const producer = client(t, port);
      await producer.xgroup('CREATE', '{q}stream', 'group', '$', 'MKSTREAM');
      const slot = slotOf(Buffer.from('q'), 0, 1);
      const shard = (await cluster.shards()).find(({ slots }) =>
        slots.some(([first, last]) => first <= slot && slot <= last),
      );
      assert.ok(shard);
      let members = [shard.primary, ...shard.replicas].map((each) => cluster.node(each));
      t.after(() => {
        for (const { process } of cluster.nodes) process.signal('SIGCONT');
      });

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
      const allWait = new RegExp(`blocked_clients:${COMMANDS.length}\\b`);
      const whereAllWait = (among: readonly ClusterNode[]): Promise<ClusterNode> => {
        const look = async (): Promise<ClusterNode | undefined> => {
          for (const node of among) if (allWait.test(await node.client.info('clients'))) return node;
          return undefined;
        };
        return eventually('all of them waiting', look, { seen: () => errors.join('; ') });
      };

      let primary = await whereAllWait(members);
      const pushed: string[] = [];
      for (const { name, isGone, go } of WAYS) {
        await t.test(`goes on at the next primary when its own ${name}`, async () => {
          const others = members.filter((node) => node !== primary);
          const written = await offsetOf(primary, 'master_repl_offset');
          for (const node of others)
            await eventually('its having all', async () =>
              (await offsetOf(node, 'slave_repl_offset')) >= written ? true : undefined,
            );
          await go(primary, others[0] ?? assert.fail());
          if (isGone) members = others;
          primary = await whereAllWait(others);
          for (let index = 0; index < ELEMENTS; index++) {
            const names = [1, 2, 3].map((kind) => `element${pushed.length + kind}`);
            const [ofList = '', ofSet = '', ofStream = ''] = names;
            await producer.rpush('{q}', ofList);
            await producer.zadd('{q}sorted', index, ofSet);
            await producer.xadd('{q}stream', '*', 'field', ofStream);
            pushed.push(...names);
          }
          await eventually('all elements', () => got.length >= pushed.length || undefined, {
            seen: () => `${got.length} of ${pushed.length}, ${errors.join('; ')}`,
          });
          assert.deepEqual(got.toSorted(), pushed.toSorted());
          assert.deepEqual(errors, []);
          assert.deepEqual(early, []);
        });
      }
    });
  }

  test('goes on where its slot has moved to', async (t) => {
    const redis = await needRedis(t);
    if (redis === undefined) return;
    const cluster = await RedisCluster.start({ redis, replicas: 0 });
    t.after(() => cluster.stop());
    const [port = 0] = portsOf(await startProxy(t, clusterPlan(cluster, 'MASTER')));
    const slot = slotOf(Buffer.from('q'), 0, 1);
    const owner = (await cluster.shards()).find(({ slots }) =>
      slots.some(([first, last]) => first <= slot && slot <= last),
    );
    const source = cluster.node(owner?.primary ?? assert.fail());
    const target = cluster.nodes.find((node) => node !== source) ?? assert.fail();
    const popped = client(t, port).blpop('q', 0);
    const waits = async ({ client: node }: ClusterNode): Promise<true | undefined> =>
      /blocked_clients:1\b/.test(await node.info('clients')) ? true : undefined;
    await eventually('it waiting', () => waits(source));
    for (const { client: node } of [target, source])
      await node.call('CLUSTER', 'SETSLOT', String(slot), 'NODE', target.id);
    await eventually('it waiting there', () => waits(target));
    await client(t, port).rpush('q', 'element');
    assert.deepEqual(await popped, ['q', 'element']);
  });
});
