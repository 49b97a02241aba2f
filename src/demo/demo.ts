/**
 * The demo: a Redis Cluster, the control plane, an Envoy, a load, and a live table of who answers what.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { Redis } from 'ioredis';

import { findEnvoy, findRedis } from './binaries.ts';
import { freePorts, removeFolder, temporaryFolder } from './child-process.ts';
import { startEnvoy } from './envoy-process.ts';
import { eventually } from './eventually.ts';
import { startLoad } from './load.ts';
import { localObjects } from './local-objects.ts';
import { RedisCluster } from './redis-cluster.ts';
import type { Screen } from './screen.ts';
import { Watch, policyInForce } from './watch.ts';

/** Immediate and short: the point is to see reads move. A real sidecar drains gradually. */
const DRAIN_SECONDS = 3;

export interface DemoOptions {
  /** The file with the RedisService, which the user may edit. */
  readonly sample: string;
  /** Where applications would connect; undefined: a free port. */
  readonly port: number | undefined;
  /** Counted from the first command sent; undefined: until stopped. */
  readonly seconds: number | undefined;
  readonly screen: Screen;
  /** Ends the demo early. */
  readonly stop: AbortSignal;
  readonly startControlPlane: (
    configPaths: readonly string[],
  ) => Promise<{ xdsPort: number; close(): Promise<void> }>;
  readonly bootstrap: (xdsPort: number, drainSeconds: number, adminSocketPath: string) => unknown;
}

/** `stopped`: before there was anything to judge. */
export type Outcome = 'fine' | 'wrong' | 'stopped';

/** Resolves to whether every command went where it should; leaves no process and no file. */
export async function runDemo(options: DemoOptions): Promise<Outcome> {
  const { screen, stop } = options;
  const opened: (() => Promise<void>)[] = [];
  try {
    const watch = await start(options, opened);
    return (await watch.run()) ? 'fine' : 'wrong';
  } catch (error) {
    // What fails because it was stopped (pip hears a terminal's Ctrl-C too) is no news.
    if (!stop.aborted) throw error;
    screen.say('  stopped before the first command');
    return 'stopped';
  } finally {
    for (const close of opened.reverse()) await close();
  }
}

async function start(options: DemoOptions, opened: (() => Promise<void>)[]): Promise<Watch> {
  const { screen, stop, sample, seconds } = options;
  const step = async <T>(what: string, work: () => Promise<T>): Promise<T> => {
    stop.throwIfAborted();
    return await screen.step(what, work);
  };
  const progress = (line: string): void => screen.say(`  ${line}`);
  const redis = await findRedis({ progress });
  stop.throwIfAborted();
  const envoyBinary = await findEnvoy(progress);
  const cluster = await step(
    `Redis Cluster (${redis.flavour} ${redis.version}): 3 shards, each a primary and 2 replicas`,
    () => RedisCluster.start({ redis }),
  );
  opened.push(() => cluster.stop());

  const port = options.port ?? (await freePorts(1))[0] ?? 0;
  const folder = await temporaryFolder('demo');
  opened.push(() => removeFolder(folder));
  const seed = cluster.nodes[0]?.port ?? 0;
  await writeFile(join(folder, 'cluster.yaml'), localObjects(port, seed));
  const controlPlane = await step(`control plane on ${sample}`, () =>
    options.startControlPlane([sample, folder]),
  );
  opened.push(() => controlPlane.close());

  const envoy = await step(`Envoy on 127.0.0.1:${port}`, async () => {
    const envoy = await startEnvoy({
      binary: envoyBinary,
      configuration: (socketPath) => options.bootstrap(controlPlane.xdsPort, DRAIN_SECONDS, socketPath),
      args: ['--drain-time-s', String(DRAIN_SECONDS), '--drain-strategy', 'immediate'],
    });
    opened.push(() => envoy.stop());
    await eventually(
      `a listener of Envoy for ${sample}`,
      async () => ((await policyInForce(envoy)) === undefined ? undefined : true),
      { seen: () => 'none; see what redpilot validate says of the file' },
    );
    // Listeners open before their clusters know the nodes.
    await firstAnswer(port);
    return envoy;
  });

  stop.throwIfAborted();
  const load = startLoad(port);
  opened.push(() => load.stop());
  return new Watch({ cluster, envoy, load, screen, sample, seconds, drainSeconds: DRAIN_SECONDS, stop });
}

async function firstAnswer(port: number): Promise<void> {
  const client = new Redis({ host: '127.0.0.1', port, protocol: 2, maxRetriesPerRequest: 0 });
  // Told by the command that fails.
  client.on('error', () => {});
  try {
    await eventually('an answer of the Redis Cluster through Envoy', async () => {
      await client.get('demo:first');
      return true;
    });
  } finally {
    client.disconnect();
  }
}
