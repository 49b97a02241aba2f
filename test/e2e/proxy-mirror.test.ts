/**
 * Whatever a client asks of the proxy, a mirror ends up with what the servers themselves have, be it of the same kind or not.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { connect } from 'node:net';
import { test, type TestContext } from 'node:test';

import type { Redis } from 'ioredis';

import { removeFolder, temporaryFolder } from '../../src/demo/child-process.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { RedisCluster } from '../../src/demo/redis-cluster.ts';
import { startRedis, stopRedis } from '../../src/demo/redis-node.ts';
import { knowsAll, mirrored } from '../proxy/mirrored.ts';
import { needRedis } from './environment.ts';
import { clusterPlan, portsOf, startProxy } from './proxy-setting.ts';
import { randomOf, type Choose } from './random.ts';
import { planTo } from '../proxy/servers.ts';

const SEED = 7;
const ROUNDS = 6;
const SEQUENCES = 100;
const BATCH = 50;

const any = (c: Choose): string => `k${c(8)}`;
/** Of one slot. */
const tagged = (c: Choose): string => `{t}${c(4)}`;
const either = (c: Choose): string => (c(2) === 0 ? any(c) : tagged(c));
const scriptOf = (c: Choose): string => `return redis.call('INCR', KEYS[1]) + ${c(3)}`;

/** What is written is said by the command alone: nothing random, and no time. */
const MAKERS: readonly ((c: Choose) => string)[] = [
  (c) => `SET ${either(c)} ${c(100)}`,
  (c) => `INCR ${either(c)}`,
  (c) => `APPEND ${either(c)} ${c(10)}`,
  (c) => `GETSET ${either(c)} ${c(10)}`,
  (c) => `RPUSH ${either(c)} ${c(10)} ${c(10)}`,
  (c) => `LPOP ${either(c)}`,
  (c) => `SADD ${either(c)} ${c(10)}`,
  (c) => `HSET ${either(c)} ${c(3)} ${c(10)}`,
  (c) => `ZADD ${either(c)} ${c(10)} a ${c(10)} b`,
  (c) => `GET ${either(c)}`,
  (c) => `MSET ${any(c)} 1 ${any(c)} 2 ${any(c)} 3`,
  (c) => `MGET ${any(c)} ${any(c)}`,
  (c) => `DEL ${any(c)} ${any(c)}`,
  (c) => `UNLINK ${any(c)}`,
  (c) => `RENAME ${tagged(c)} ${tagged(c)}`,
  (c) => `LMOVE ${tagged(c)} ${tagged(c)} LEFT RIGHT`,
  (c) => `SUNIONSTORE ${tagged(c)} ${tagged(c)} ${tagged(c)}`,
  (c) => `BLPOP ${either(c)} 0.001`,
  (c) => `BRPOP ${tagged(c)} ${tagged(c)} ${tagged(c)} 0.001`,
  (c) => `BLMOVE ${tagged(c)} ${tagged(c)} LEFT LEFT 0.001`,
  (c) => `BLMPOP 0.001 2 ${tagged(c)} ${tagged(c)} RIGHT COUNT 2`,
  (c) => `BZPOPMIN ${tagged(c)} ${tagged(c)} 0.001`,
  // Not one that is asked for by its sum: of a cluster only the node that has run it knows it then.
  (c) => `EVAL "return redis.call('APPEND', KEYS[1], 7)" 1 ${either(c)}`,
  (c) => `SCRIPT LOAD "${scriptOf(c)}"`,
  (c) => `EVALSHA ${createHash('sha1').update(scriptOf(c)).digest('hex')} 1 ${either(c)}`,
  (c) => (c(6) === 0 ? 'SCRIPT FLUSH' : 'SCAN 0'),
  (c) => (c(8) === 0 ? 'FLUSHALL' : 'DBSIZE'),
  () => 'EVAL "return 1" 0',
  () => 'PUBLISH c x',
  (c) => `HELLO ${2 + c(2)}`,
  (c) => `MULTI|SET ${tagged(c)} in|PUBLISH c x|MSET ${tagged(c)} 1 ${tagged(c)} 2|BLPOP ${tagged(c)} 0|EXEC`,
  (c) => `MULTI|RPUSH ${tagged(c)} x|GET ${tagged(c)}|DISCARD`,
  (c) => `MULTI|SET ${tagged(c)} in|GET|EXEC`,
  (c) => `WATCH ${tagged(c)}|INCR ${tagged(c)}|DEL ${tagged(c)} ${tagged(c)}|MULTI|RPUSH ${tagged(c)} y|EXEC`,
];

/** Each of one command, or a transaction that stays together. */
async function ask(port: number, sequences: readonly string[]): Promise<void> {
  const socket = connect({ host: '127.0.0.1', port });
  let text = '';
  socket.setEncoding('latin1').on('data', (chunk: string) => (text += chunk));
  for (let at = 0; at < sequences.length; at += BATCH) {
    const batch = sequences.slice(at, at + BATCH).flatMap((sequence) => sequence.split('|'));
    socket.write([...batch, `ECHO end${at}`].map((line) => `${line}\r\n`).join(''));
    await eventually(`the replies up to ${at}`, () => text.endsWith(`\r\nend${at}\r\n`) || undefined, {
      everyMs: 1,
      seen: () => JSON.stringify(text.slice(-200)),
    });
  }
  socket.destroy();
}

/** What servers have together, by key. */
async function contents(servers: readonly Redis[]): Promise<Readonly<Record<string, unknown>>> {
  const all = await Promise.all(
    servers.map(async (server) => {
      const keys = await server.keys('*');
      return await Promise.all(keys.map(async (key) => [key, await valueOf(server, key)] as const));
    }),
  );
  return Object.fromEntries(all.flat().toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

async function valueOf(server: Redis, key: string): Promise<unknown> {
  switch (await server.type(key)) {
    case 'string':
      return await server.get(key);
    case 'list':
      return await server.lrange(key, 0, -1);
    case 'set':
      return (await server.smembers(key)).toSorted();
    case 'zset':
      return await server.zrange(key, '0', '-1', 'WITHSCORES');
    default:
      return await server.hgetall(key);
  }
}

async function setUp(t: TestContext) {
  const redis = await needRedis(t);
  if (redis === undefined) return undefined;
  const folder = await temporaryFolder('mirror');
  t.after(() => removeFolder(folder));
  const server = await startRedis({ server: redis.server, folder });
  t.after(() => stopRedis(server));
  const cluster = await RedisCluster.start({ redis, replicas: 0 });
  t.after(() => cluster.stop());
  const one = planTo(server.port);
  return {
    one: { plan: one, clients: [server.client] },
    several: { plan: clusterPlan(cluster, 'MASTER'), clients: cluster.nodes.map(({ client }) => client) },
  };
}

test('a mirror ends up with what the servers have', async (t) => {
  const sides = await setUp(t);
  if (sides === undefined) return;
  for (const [name, main, mirror] of [
    ['one server, copied to a cluster', sides.one, sides.several],
    ['a cluster, copied to one server', sides.several, sides.one],
  ] as const) {
    await t.test(name, async (st) => {
      for (const server of [...main.clients, ...mirror.clients]) await server.flushall();
      for (const server of [...main.clients, ...mirror.clients]) await server.script('FLUSH');
      const proxy = await startProxy(st, mirrored(main.plan, mirror.plan));
      await knowsAll(proxy);
      const [port = 0] = portsOf(proxy);
      const choose = randomOf(SEED);
      for (let round = 0; round < ROUNDS; round++) {
        const sequences = Array.from(
          { length: SEQUENCES },
          () => MAKERS[choose(MAKERS.length)]?.(choose) ?? '',
        );
        const last = `return ${round}`;
        await ask(port, [...sequences, `SCRIPT LOAD '${last}'`]);
        const sha = createHash('sha1').update(last).digest('hex');
        const isThere = async (server: Redis): Promise<boolean> =>
          String(await server.script('EXISTS', sha)) === '1';
        await eventually('the last copies', async () => {
          const there = await Promise.all(mirror.clients.map(isThere));
          return there.every(Boolean) || undefined;
        });
        assert.deepEqual(
          await contents(mirror.clients),
          await contents(main.clients),
          `round ${round} of seed ${SEED}`,
        );
      }
    });
  }
});
