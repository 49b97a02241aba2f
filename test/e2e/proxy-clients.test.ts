/**
 * Client libraries at their defaults, plain and as cluster clients: one list of commands, and through the proxy before a
 * Redis Cluster every reply is what the same library gets from a Redis of its own.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';

import { removeFolder, temporaryFolder } from '../../src/demo/child-process.ts';
import { RedisCluster } from '../../src/demo/redis-cluster.ts';
import { startRedis, stopRedis, type RedisNode } from '../../src/demo/redis-node.ts';
import { openIoredis } from './clients/ioredis.ts';
import { openNodeRedis } from './clients/node-redis.ts';
import { REDIS_PY } from './clients/redis-py.ts';
import { STEPS, STEPS_FILE, takeSteps } from './clients/steps.ts';
import { needGoRedis, needRedis, needRedisPy, type Skipping } from './environment.ts';
import { clusterPlan, portsOf, startProxy } from './proxy-setting.ts';

type Take = (port: number, isCluster: boolean) => Promise<readonly unknown[]>;

interface Library {
  readonly name: string;
  /** undefined: the test has been skipped. */
  open(t: Skipping): Promise<Take | undefined>;
}

const LIBRARIES: readonly Library[] = [
  {
    name: 'ioredis',
    open: async () => async (port, isCluster) => await takeSteps(openIoredis(port, isCluster), isCluster),
  },
  {
    name: 'node-redis',
    open: async () => async (port, isCluster) =>
      await takeSteps(await openNodeRedis(port, isCluster), isCluster),
  },
  {
    name: 'redis-py',
    open: async (t) => {
      const python = await needRedisPy(t);
      return python === undefined ? undefined : takeByProcess(python, [REDIS_PY]);
    },
  },
  {
    name: 'go-redis',
    open: async (t) => {
      const binary = await needGoRedis(t);
      return binary === undefined ? undefined : takeByProcess(binary, []);
    },
  },
];

function takeByProcess(program: string, args: readonly string[]): Take {
  return async (port, isCluster) => {
    const mode = isCluster ? 'cluster' : 'plain';
    const { stdout } = await promisify(execFile)(program, [...args, String(port), mode, STEPS_FILE], {
      maxBuffer: 10_000_000,
    });
    return JSON.parse(stdout) as unknown[];
  };
}

test('client libraries get the replies of a direct connection', async (t) => {
  const redis = await needRedis(t);
  if (redis === undefined) return;
  const folder = await temporaryFolder('clients');
  t.after(() => removeFolder(folder));
  const direct = await startRedis({ server: redis.server, folder });
  t.after(() => stopRedis(direct));
  const cluster = await RedisCluster.start({ redis, replicas: 1 });
  t.after(() => cluster.stop());
  const primaries = (await cluster.shards()).map(({ primary }) => cluster.node(primary));
  // Under another policy a slow reply of the primary would be asked of a replica too, which may be behind.
  const [port = 0] = portsOf(await startProxy(t, clusterPlan(cluster, 'MASTER')));

  for (const library of LIBRARIES) {
    await t.test(library.name, async (t) => {
      const take = await library.open(t);
      if (take === undefined) return;
      await empty([direct]);
      const expected = await take(direct.port, false);
      for (const isCluster of [false, true]) {
        await t.test(isCluster ? 'as a cluster client' : 'plain', async () => {
          await empty(primaries);
          assert.deepEqual(
            named(await take(port, isCluster), isCluster),
            named(isCluster ? expected.filter((_, index) => !isPlainOnly(index)) : expected, isCluster),
          );
        });
      }
    });
  }
});

async function empty(nodes: readonly RedisNode[]): Promise<void> {
  for (const { client } of nodes) {
    await client.flushall();
    await client.script('FLUSH');
    await client.function('FLUSH');
  }
}

function isPlainOnly(index: number): boolean {
  const step = STEPS[index];
  return step !== undefined && 'do' in step && step.plainOnly === true;
}

/** Each reply with its step, so that a difference says whose it is. */
function named(replies: readonly unknown[], isCluster: boolean): readonly unknown[] {
  const steps = STEPS.filter((_, index) => !isCluster || !isPlainOnly(index));
  assert.equal(replies.length, steps.length);
  return steps.map((step, index) => [JSON.stringify(step), replies[index]]);
}
