import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectSocket } from 'node:net';
import { test } from 'node:test';

import { freePorts } from '../../src/demo/child-process.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { RedisCluster } from '../../src/demo/redis-cluster.ts';
import { obeys } from '../../src/demo/traffic.ts';
import { allowFor } from './busy-machine.ts';
import { startIoredis, startNodeRedis } from './client-loads.ts';
import { needBinaries, needRedisPy } from './environment.ts';
import { documents, redisDestination, redisService, serviceObjects } from './objects.ts';
import { everyChange, newConnectionWith, probe } from './policy-changes.ts';
import { startRedisPy } from './redis-py.ts';
import { connect, startSidecar, type Ending } from './sidecar.ts';

const NAME = 'redis-cluster';
const DRAIN_SECONDS = 3;
/** For a machine that is busy with other things. */
const SLACK_MS = 2_000;

test('every change of policy under load: new connections have it at once, no client sees an error', async (t) => {
  const binaries = await needBinaries(t);
  const python = await needRedisPy(t);
  if (binaries === undefined || python === undefined) return;
  const cluster = await RedisCluster.start({ redis: binaries.redis });
  t.after(() => cluster.stop());
  const [port = 0] = await freePorts(1);
  const [from, ...policies] = everyChange();
  assert.equal(policies.length, 20);
  const endpoints = cluster.nodes.slice(0, 1).map((node) => node.port);
  const sidecar = await startSidecar(t, {
    envoy: binaries.envoy,
    drainSeconds: DRAIN_SECONDS,
    files: {
      'host.yaml': documents(
        ...serviceObjects({ name: NAME, port, endpoints }),
        redisDestination({ name: NAME, mode: 'CLUSTER' }),
      ),
      'policy.yaml': documents(redisService({ name: NAME, settings: { readPolicy: from } })),
    },
  });
  const held = connect(t, port, { maxRetriesPerRequest: 20 });
  await eventually('an answer', async () => ((await held.get('warm')) === null ? true : undefined));
  let renewals = 0;
  held.on('close', () => (renewals += 1));
  const ioredis = startIoredis(port);
  const nodeRedis = await startNodeRedis(port, 3);
  const redisPy = startRedisPy(t, python, port);
  t.after(() => void Promise.all([ioredis.stop(), nodeRedis.stop()]));

  const latencies: number[] = [];
  const idleForMs: Promise<number>[] = [];
  for (const [index, policy] of policies.entries()) {
    await t.test(`${policies[index - 1] ?? from} -> ${policy}`, async () => {
      const { closedAt } = await idleConnection(t, port);
      // Connected before the change, so that the change has a connection to renew.
      await held.ping();
      const renewedBefore = renewals;
      const written = Date.now();
      await sidecar.write(
        'policy.yaml',
        documents(redisService({ name: NAME, settings: { readPolicy: policy } })),
      );
      idleForMs.push(closedAt.then((closed) => closed - written));
      const hadItAt = await newConnectionWith(policy, { sidecar, cluster, port });
      latencies.push(hadItAt - written);
      // One in use is closed after a reply, and its client comes back by the new policy.
      await eventually(
        `the connection held open and used renewed, and reading by ${policy}`,
        async () => {
          const split = await probe(cluster, held);
          return renewals > renewedBefore && obeys(policy, split) === true ? true : undefined;
        },
        { deadlineMs: DRAIN_SECONDS * 1_000 + allowFor(SLACK_MS) },
      );
    });
  }

  const median = latencies.toSorted((a, b) => a - b)[Math.floor(latencies.length / 2)] ?? 0;
  t.diagnostic(
    `new connections had the new policy after ${median} ms (median of ${latencies.length}, at most ${Math.max(...latencies)} ms)`,
  );
  await t.test('the median of new connections is under 300 ms', () => {
    const limitMs = allowFor(300);
    assert.ok(median < limitMs, `${median} ms, of ${limitMs} ms as busy as the machine is`);
  });
  await t.test('connections held open and idle are closed within the drain time', async () => {
    const longest = Math.max(...(await Promise.all(idleForMs)));
    t.diagnostic(`idle connections were closed at most ${longest} ms after the change`);
    assert.ok(longest < DRAIN_SECONDS * 1_000 + allowFor(SLACK_MS), `${longest} ms`);
  });
  await t.test('ioredis at its defaults saw no error', async () => {
    const totals = await ioredis.stop();
    assert.ok(totals.answered > 1_000);
    assert.deepEqual([...totals.errors], []);
  });
  await t.test('redis-py with protocol=2 saw no error', async () => {
    const { answered, errors } = await redisPy.stop();
    assert.ok(answered > 200);
    assert.deepEqual(errors, []);
  });
  await t.test('node-redis with RESP: 2, whose caller sends again what broke, saw no error', async () => {
    const totals = await nodeRedis.stop();
    assert.ok(totals.answered > 1_000);
    assert.deepEqual([...totals.errors], []);
  });
});

/** Has had an answer, so that Envoy knows it. */
async function idleConnection(ending: Ending, port: number): Promise<{ readonly closedAt: Promise<number> }> {
  const socket = connectSocket(port, '127.0.0.1');
  ending.after(() => void socket.destroy());
  socket.on('error', () => {});
  socket.write('*1\r\n$4\r\nPING\r\n');
  await once(socket, 'data');
  return { closedAt: once(socket, 'close').then(() => Date.now()) };
}
