/**
 * A real Envoy in the four ways to be told: state of the world or delta, on one aggregated stream or on a stream for each
 * type. A hundred changes each, under load of three client libraries.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { freePorts } from '../../src/demo/child-process.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { RedisCluster } from '../../src/demo/redis-cluster.ts';
import { errorsOf, startIoredis, startNodeRedis } from './client-loads.ts';
import { needBinaries, needRedisPy } from './environment.ts';
import { hostObjects, POLICIES } from './objects.ts';
import { startRedisPy } from './redis-py.ts';
import { startSidecar, type Ending, type Sidecar } from './sidecar.ts';

const NAME = 'redis-cluster';
const OTHERS = 4;
/** Of listeners and clusters that the clients do not use, and of the listener that they use. */
const FOREIGN_CHANGES = 80;
const OWN_CHANGES = 20;
const DRAIN_SECONDS = 2;

const WAYS = [
  { way: 'state of the world, ADS', delta: false, perType: false },
  { way: 'state of the world, per type', delta: false, perType: true },
  { way: 'delta, ADS', delta: true, perType: false },
  { way: 'delta, per type', delta: true, perType: true },
];

describe('a hundred changes under load', { timeout: 900_000 }, () => {
  for (const { way, delta, perType } of WAYS) {
    test(way, { timeout: 300_000 }, async (t) => {
      const binaries = await needBinaries(t);
      const python = await needRedisPy(t);
      if (binaries === undefined || python === undefined) return;
      const cluster = await RedisCluster.start({ redis: binaries.redis });
      t.after(() => cluster.stop());
      const seed = cluster.nodes[0]?.port ?? 0;
      const [port = 0, ...others] = await freePorts(1 + OTHERS);
      const objects = (name: string, listens: number, change: number, timeout = '1s'): string =>
        hostObjects({
          name,
          port: listens,
          endpoints: [seed],
          mode: 'CLUSTER',
          settings: { readPolicy: POLICIES[change % POLICIES.length], opTimeout: timeout },
        });
      const files = Object.fromEntries(
        others.map((listens, index) => [`other-${index}.yaml`, objects(`other-${index}`, listens, 0)]),
      );
      const sidecar = await startSidecar(t, {
        envoy: binaries.envoy,
        drainSeconds: DRAIN_SECONDS,
        drainStrategy: 'gradual',
        delta,
        perType,
        files: { ...files, 'own.yaml': objects(NAME, port, 0) },
      });

      const foreign = await startLoads(t, python, port);
      await eventually('the clients are connected', async () =>
        (await connections(sidecar, port)).total >= 3 ? true : undefined,
      );
      const before = await connections(sidecar, port);
      for (let change = 1; change <= FOREIGN_CHANGES; change += 1) {
        const index = change % OTHERS;
        const file = `other-${index}.yaml`;
        await told(sidecar, async () => {
          // A listener and its cluster go, and come back with the next round.
          if (change % 10 === 0) await sidecar.remove(file);
          else await sidecar.write(file, objects(`other-${index}`, others[index] ?? 0, change));
        });
      }
      const after = await connections(sidecar, port);
      assert.deepEqual(after, before, 'no connection of another listener was closed or opened');
      for (const [library, errors] of await foreign.stop()) assert.deepEqual([library, errors], [library, 0]);

      const own = await startLoads(t, python, port);
      for (let change = 1; change <= OWN_CHANGES; change += 1)
        await told(sidecar, () => sidecar.write('own.yaml', objects(NAME, port, change)));
      const errors = new Map(await own.stop());
      t.diagnostic(
        `node-redis at ${OWN_CHANGES} changes of its listener: ${errors.get('node-redis')} errors`,
      );
      assert.equal(errors.get('ioredis'), 0);
      assert.equal(errors.get('redis-py'), 0);

      assert.deepEqual(await rejected(sidecar), [0, 0], 'nothing was refused');
    });
  }
});

interface Loads {
  /** Errors by library. */
  stop(): Promise<readonly (readonly [library: string, errors: number])[]>;
}

async function startLoads(t: Ending, python: string, port: number): Promise<Loads> {
  const ioredis = startIoredis(port);
  t.after(async () => void (await ioredis.stop()));
  const nodeRedis = await startNodeRedis(port);
  t.after(async () => void (await nodeRedis.stop()));
  const redisPy = startRedisPy(t, python, port);
  return {
    stop: async () => [
      ['ioredis', errorsOf(await ioredis.stop())],
      ['node-redis', errorsOf(await nodeRedis.stop())],
      ['redis-py', (await redisPy.stop()).errors.length],
    ],
  };
}

/** Makes a change and waits until Envoy has taken it. */
async function told(sidecar: Sidecar, change: () => Promise<void>): Promise<void> {
  const before = await updates(sidecar);
  await change();
  await eventually('Envoy took the change', async () =>
    (await updates(sidecar)) > before ? true : undefined,
  );
}

async function stats(sidecar: Sidecar, pattern: string): Promise<ReadonlyMap<string, number>> {
  const text = await sidecar.envoy.admin(`/stats?filter=${encodeURIComponent(pattern)}`);
  const lines = text.split('\n').filter((line) => line.includes(': '));
  return new Map(
    lines.map((line): [string, number] => {
      const [name = '', value = ''] = line.split(': ');
      return [name, Number(value)];
    }),
  );
}

async function updates(sidecar: Sidecar): Promise<number> {
  const found = await stats(sidecar, '^listener_manager.lds.update_success$');
  return found.get('listener_manager.lds.update_success') ?? 0;
}

async function rejected(sidecar: Sidecar): Promise<readonly number[]> {
  const found = await stats(sidecar, 'update_rejected$');
  return ['listener_manager.lds', 'cluster_manager.cds'].map(
    (name) => found.get(`${name}.update_rejected`) ?? Number.NaN,
  );
}

/** Of the listener on that port: how many there ever were, and how many are open. */
async function connections(
  sidecar: Sidecar,
  port: number,
): Promise<{ readonly total: number; readonly open: number }> {
  const found = await stats(sidecar, `^listener.127.0.0.1_${port}.downstream_cx_(total|active)$`);
  const one = (name: string): number => found.get(`listener.127.0.0.1_${port}.downstream_cx_${name}`) ?? 0;
  return { total: one('total'), open: one('active') };
}
