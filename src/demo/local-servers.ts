/**
 * The demo's own servers on this machine: a Redis Cluster, the control plane, an Envoy.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { findEnvoy, findRedis } from './binaries.ts';
import { freePorts, removeFolder, temporaryFolder } from './child-process.ts';
import { DRAIN_SECONDS, type Opened, type Servers } from './demo.ts';
import { startEnvoy } from './envoy-process.ts';
import { localObjects } from './local-objects.ts';
import { RedisCluster } from './redis-cluster.ts';
import type { Screen } from './screen.ts';

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
  readonly bootstrap: (xdsPort: number, drainSeconds: number, adminSocketPath: string) => unknown;
}

export async function startLocalServers(options: LocalServersOptions, opened: Opened): Promise<Servers> {
  const { screen, stop, sample } = options;
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

  const envoy = await step(`Envoy on 127.0.0.1:${port}`, () =>
    startEnvoy({
      binary: envoyBinary,
      configuration: (socketPath) => options.bootstrap(controlPlane.xdsPort, DRAIN_SECONDS, socketPath),
      args: ['--drain-time-s', String(DRAIN_SECONDS), '--drain-strategy', 'immediate'],
    }),
  );
  opened.push(() => envoy.stop());
  return {
    nodes: cluster.nodes.map((node) => ({
      name: `127.0.0.1:${node.port}`,
      shard: node.shard,
      client: node.client,
    })),
    envoy: { host: '127.0.0.1', port },
    envoyAdmin: envoy.admin,
  };
}
