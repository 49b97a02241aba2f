/**
 * What wait_for_warm_on_init of a Redis cluster costs, in both of its forms: when Envoy starts, with and without a Redis
 * that is down, and when a cluster changes under load.
 *
 * Redpilot sends false to an Envoy that starts and true later; beside it, each form alone. A real Envoy, 9 Redis nodes.
 */
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { Redis } from 'ioredis';

import { translateObjects } from '../src/commands/translate-objects.ts';
import { findEnvoy, findRedis } from '../src/demo/binaries.ts';
import { freePorts, removeFolder, temporaryFolder } from '../src/demo/child-process.ts';
import { startEnvoy } from '../src/demo/envoy-process.ts';
import { RedisCluster } from '../src/demo/redis-cluster.ts';
import { bootstrap } from '../src/envoy/bootstrap.ts';
import { CLUSTER_TYPE } from '../src/envoy/resource.ts';
import { ResourceSet, type Snapshot } from '../src/envoy/resource-set.ts';
import { snapshotOf } from '../src/envoy/snapshot.ts';
import { readFiles } from '../src/sources/files/read.ts';
import { createXdsServer } from '../src/xds/index.ts';
import {
  documents,
  hostObjects,
  redisDestination,
  redisService,
  serviceObjects,
} from '../test/e2e/objects.ts';
import { withoutDns } from '../test/e2e/sidecar.ts';
import { median } from './free-connections.ts';

const FORMS = ['false, then true', 'true always', 'false always'] as const;
type Form = (typeof FORMS)[number];

const STARTS = 5;
const START_LIMIT_MS = 10_000;
const UPDATES = 20;
const APART_MS = 500;
const NAME = 'redis-cluster';
/** Nobody listens there. */
const DEAD_PORT = 1;

export async function run(): Promise<void> {
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  const [envoy, redis] = [await findEnvoy(say), await findRedis({ progress: say })];
  const cluster = await RedisCluster.start({ redis });
  const seed = cluster.nodes[0]?.port ?? 0;
  process.stdout.write(
    '| wait_for_warm_on_init | start to first answer | the same, another Redis down | errors at 20 updates, of commands |\n' +
      '|---|---|---|---|\n',
  );
  try {
    for (const form of FORMS) {
      const alive = await startTimes(form, envoy, [seed]);
      const dead = await startTimes(form, envoy, [seed, DEAD_PORT]);
      const { errors, sent } = await update(form, envoy, seed);
      process.stdout.write(`| ${form} | ${alive} | ${dead} | ${errors} of ${sent} |\n`);
    }
  } finally {
    await cluster.stop();
  }
}

/** A host for each seed; the first is the one that is asked. */
async function startTimes(form: Form, binary: string, seeds: readonly number[]): Promise<string> {
  const times: number[] = [];
  for (let count = 0; count < STARTS; count += 1) {
    const scene = await Scene.start(form, binary, seeds);
    try {
      const ms = await scene.firstAnswer();
      if (ms === undefined) return `none within ${START_LIMIT_MS / 1_000} s`;
      times.push(ms);
    } finally {
      await scene.stop();
    }
  }
  return `${Math.round(median(times))} ms`;
}

async function update(form: Form, binary: string, seed: number): Promise<{ errors: number; sent: number }> {
  const scene = await Scene.start(form, binary, [seed]);
  try {
    await scene.firstAnswer();
    const load = scene.load();
    for (let count = 1; count <= UPDATES; count += 1) {
      await scene.setConnectTimeout(1_000 + count);
      await sleep(APART_MS);
    }
    return await load.stop();
  } finally {
    await scene.stop();
  }
}

/** One Envoy, told by an xDS server that keeps to one form. */
class Scene {
  readonly #form: Form;
  readonly #folder: string;
  readonly #seeds: readonly number[];
  readonly #ports: readonly number[];
  readonly #callbacks = new Set<() => void>();
  #snapshot: Snapshot | undefined;
  #startedMs = 0;
  readonly #stops: (() => Promise<void>)[] = [];

  private constructor(form: Form, folder: string, seeds: readonly number[], ports: readonly number[]) {
    [this.#form, this.#folder, this.#seeds, this.#ports] = [form, folder, seeds, ports];
  }

  static async start(form: Form, binary: string, seeds: readonly number[]): Promise<Scene> {
    const folder = await temporaryFolder('warm-up');
    const scene = new Scene(form, folder, seeds, await freePorts(seeds.length));
    await scene.#open(binary);
    return scene;
  }

  async stop(): Promise<void> {
    for (const end of this.#stops.toReversed()) await end();
    await removeFolder(this.#folder);
  }

  /** Milliseconds from the start of Envoy; undefined: none came. */
  async firstAnswer(): Promise<number | undefined> {
    while (performance.now() - this.#startedMs < START_LIMIT_MS) {
      const client = new Redis({ ...this.#address, maxRetriesPerRequest: 0, retryStrategy: () => null });
      client.on('error', () => {});
      const answer = await client.get('key').catch(() => undefined);
      client.disconnect();
      if (answer !== undefined) return performance.now() - this.#startedMs;
      await sleep(5);
    }
    return undefined;
  }

  /** Gets, one every 3 ms or so. */
  load(): { stop(): Promise<{ errors: number; sent: number }> } {
    const client = new Redis({ ...this.#address, maxRetriesPerRequest: 0 });
    client.on('error', () => {});
    let [errors, sent] = [0, 0];
    const over = new AbortController();
    const loop = (async () => {
      for (; !over.signal.aborted; sent += 1) {
        await client.get(`key:${sent % 1_000}`).catch(() => (errors += 1));
        await sleep(2);
      }
    })();
    return {
      stop: async () => {
        over.abort();
        await loop;
        client.disconnect();
        return { errors, sent };
      },
    };
  }

  async setConnectTimeout(ms: number): Promise<void> {
    const file = join(this.#folder, 'objects.yaml');
    await writeFile(file, this.#seeds.map((_, index) => this.#objects(index, ms)).join('---\n'));
    const { objects } = await readFiles([file]);
    await rm(file);
    this.#snapshot = inForm(this.#form, snapshotOf(translateObjects(objects).plan, undefined));
    for (const callback of this.#callbacks) callback();
  }

  get #address(): { readonly host: string; readonly port: number; readonly protocol: 2 } {
    return { host: '127.0.0.1', port: this.#ports[0] ?? 0, protocol: 2 };
  }

  #objects(index: number, timeoutMs: number): string {
    const name = index === 0 ? NAME : `other-${index}`;
    const host = { name, port: this.#ports[index] ?? 0, endpoints: [this.#seeds[index] ?? 0] };
    if (index > 0) return hostObjects({ ...host, mode: 'CLUSTER' });
    const destination = redisDestination({ name, mode: 'CLUSTER', connectTimeout: `${timeoutMs}ms` });
    return documents(redisService(host), ...serviceObjects(host), destination);
  }

  async #open(binary: string): Promise<void> {
    await this.setConnectTimeout(1_000);
    const silent = (): void => {};
    const server = await createXdsServer({
      address: { host: '127.0.0.1', port: 0 },
      source: {
        snapshotFor: () => this.#snapshot,
        onChange: (callback) => {
          this.#callbacks.add(callback);
          return () => this.#callbacks.delete(callback);
        },
      },
      log: { debug: silent, info: silent, warn: silent, error: silent },
    });
    this.#stops.push(() => server.close());
    this.#startedMs = performance.now();
    const envoy = await startEnvoy({
      binary,
      args: ['--drain-time-s', '2'],
      waitUntilReady: false,
      configuration: (socketPath) => ({
        ...withoutDns(),
        ...bootstrap({
          xdsAddress: { host: '127.0.0.1', port: Number(server.address.split(':')[1]) },
          nodeId: 'warm-up',
          drainSeconds: 2,
          delta: true,
          admin: { socketPath },
        }),
      }),
    });
    this.#stops.push(() => envoy.stop());
  }
}

function inForm(form: Form, snapshot: Snapshot): Snapshot {
  if (form === 'false, then true') return snapshot;
  const clusters = (snapshot.get(CLUSTER_TYPE)?.list ?? []).map(({ initialBytes, ...cluster }) => ({
    ...cluster,
    bytes: form === 'false always' ? (initialBytes ?? cluster.bytes) : cluster.bytes,
  }));
  return new Map([...snapshot, [CLUSTER_TYPE, ResourceSet.of(clusters)]]);
}
