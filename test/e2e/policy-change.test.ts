import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { Redis } from 'ioredis';

import type { ReadPolicy } from '../../src/api/objects.ts';
import { freePorts } from '../../src/demo/child-process.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { startLoad } from '../../src/demo/load.ts';
import { RedisCluster } from '../../src/demo/redis-cluster.ts';
import { between, countsOf, obeys, splitByRole, type Counts } from '../../src/demo/traffic.ts';
import { needBinaries, needRedisPy } from './environment.ts';
import { documents, hostObjects, redisService } from './objects.ts';
import { connect, startSidecar, type Sidecar } from './sidecar.ts';

const POLICIES: readonly ReadPolicy[] = ['MASTER', 'PREFER_MASTER', 'REPLICA', 'PREFER_REPLICA', 'ANY'];
const NAME = 'redis-cluster';
const DRAIN_SECONDS = 3;

/** A command that the load does not send, so that the probe's reads can be told from it. */
const PROBE = { read: 'strlen', write: 'setrange' };
const PROBES = Array.from({ length: 30 }, (_, index) => `key:${index}`);

/** A round trip through every ordered pair of policies. */
function everyChange(): readonly ReadPolicy[] {
  const steps: ReadPolicy[] = [];
  const left = new Set(
    POLICIES.flatMap((from) => POLICIES.filter((to) => to !== from).map((to) => `${from} ${to}`)),
  );
  // An Eulerian circuit of the complete directed graph, by Hierholzer's walk.
  const stack: ReadPolicy[] = ['MASTER'];
  for (let at = stack.at(-1); at !== undefined; at = stack.at(-1)) {
    const next = POLICIES.find((to) => left.has(`${at} ${to}`));
    if (next === undefined) {
      steps.unshift(at);
      stack.pop();
    } else {
      left.delete(`${at} ${next}`);
      stack.push(next);
    }
  }
  return steps;
}

test('every change of policy under load: new connections have it at once, no client sees an error', async (t) => {
  const binaries = await needBinaries(t);
  const python = await needRedisPy(t);
  if (binaries === undefined || python === undefined) return;
  const cluster = await RedisCluster.start({ redis: binaries.redis });
  t.after(() => cluster.stop());
  const [port = 0] = await freePorts(1);
  const seed = cluster.nodes[0]?.port ?? 0;
  const steps = everyChange();
  assert.equal(steps.length, 21);
  const sidecar = await startSidecar(t, {
    envoy: binaries.envoy,
    drainSeconds: DRAIN_SECONDS,
    files: {
      'cluster.yaml': hostObjects({
        name: NAME,
        port,
        endpoints: [seed],
        mode: 'CLUSTER',
        settings: { readPolicy: 'MASTER' },
      }),
    },
  });
  const held = connect(t, port, { maxRetriesPerRequest: 20 });
  await eventually('an answer', async () => ((await held.get('warm')) === null ? true : undefined));
  const ioredis = startLoad(port);
  t.after(() => ioredis.stop());
  const redisPy = startRedisPy(t, python, port);
  // The object alone in a file of its own from now on.
  const objects = hostObjects({ name: NAME, port, endpoints: [seed], mode: 'CLUSTER' });
  const others = objects.slice(objects.indexOf('---\n') + 4);
  await sidecar.write(
    'cluster.yaml',
    others + '---\n' + documents(redisService({ name: NAME, settings: { readPolicy: 'MASTER' } })),
  );

  const latencies: number[] = [];
  for (const [index, policy] of steps.slice(1).entries()) {
    await t.test(`${steps[index] ?? ''} -> ${policy}`, async () => {
      const written = Date.now();
      const object = documents(redisService({ name: NAME, settings: { readPolicy: policy } }));
      await sidecar.write('cluster.yaml', `${others}---\n${object}`);
      await eventually(`a new connection reading by ${policy}`, async () => {
        const fresh = new Redis({ host: '127.0.0.1', port, protocol: 2 });
        fresh.on('error', () => {});
        const split = await probe(cluster, fresh).finally(() => fresh.disconnect());
        return (await policyOf(sidecar)) === policy && obeys(policy, split) === true ? true : undefined;
      });
      latencies.push(Date.now() - written);
      // Sampled, since it takes the drain time: the others are closed alike.
      if (index % 5 === 0) {
        const deadlineMs = DRAIN_SECONDS * 1_000 + 1_000;
        await eventually(
          `the connection held open reading by ${policy}`,
          async () => (obeys(policy, await probe(cluster, held)) === true ? true : undefined),
          { deadlineMs },
        );
      }
      await sleep(200);
    });
  }

  const median = latencies.toSorted((a, b) => a - b)[Math.floor(latencies.length / 2)] ?? 0;
  t.diagnostic(
    `new connections had the new policy after ${median} ms (median of ${latencies.length}, at most ${Math.max(...latencies)} ms)`,
  );
  await t.test('the median of new connections is under 300 ms', () =>
    assert.ok(median < 300, `${median} ms`),
  );
  await t.test('ioredis at its defaults saw no error', () => {
    const { reads, writes, errors } = ioredis.totals();
    assert.ok(reads > 1_000 && writes > 100);
    assert.equal(errors, 0, ioredis.lastError());
  });
  await t.test('redis-py with protocol=2 saw no error', async () => {
    const { answered, errors } = await redisPy.stop();
    assert.ok(answered > 1_000);
    assert.deepEqual(errors, []);
  });
});

/** Who answers thirty reads of one connection. */
async function probe(cluster: RedisCluster, client: Redis): Promise<ReturnType<typeof splitByRole>> {
  const before = await counts(cluster);
  await Promise.all(PROBES.map((key) => client.strlen(key)));
  const after = await counts(cluster);
  return splitByRole([...after].map(([port, now]) => between(before.get(port), now)));
}

async function counts(cluster: RedisCluster): Promise<ReadonlyMap<number, Counts>> {
  return new Map(
    await Promise.all(
      cluster.nodes.map(async ({ port, client }) => [port, await countsOf(client, PROBE)] as const),
    ),
  );
}

async function policyOf({ envoy }: Sidecar): Promise<string> {
  const dump = await envoy.admin('/config_dump?resource=dynamic_listeners');
  return /"read_policy": "([A-Z_]+)"/.exec(dump)?.[1] ?? 'MASTER';
}

interface PythonLoad {
  stop(): Promise<{ readonly answered: number; readonly errors: readonly string[] }>;
}

function startRedisPy(t: TestContext, python: string, port: number): PythonLoad {
  const script = fileURLToPath(new URL('redis_py_load.py', import.meta.url));
  const child = spawn(python, [script, String(port)], { stdio: ['pipe', 'pipe', 'inherit'] });
  t.after(() => child.kill());
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  return {
    stop: async () => {
      const closed = new Promise((resolve) => child.once('close', resolve));
      child.stdin.end();
      await closed;
      return JSON.parse(said) as { answered: number; errors: string[] };
    },
  };
}
