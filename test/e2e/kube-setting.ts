/** What most tests of the cluster source need: an API server with our manifests, a Redis Cluster, and Envoy's binary. */
import type { TestContext } from 'node:test';

import { RedisCluster, type ClusterOptions } from '../../src/demo/redis-cluster.ts';
import { needBinaries } from './environment.ts';
import { KubeCluster, type KubeClusterOptions } from './kube-cluster.ts';

export interface KubeSetting {
  readonly kube: KubeCluster;
  readonly envoy: string;
  readonly redis: RedisCluster;
  /** Ports of two of its nodes. */
  readonly seeds: readonly number[];
}

/** undefined: the test has been skipped and must return. Stopped when the test ends. */
export async function startKubeSetting(
  t: TestContext,
  cluster: Pick<ClusterOptions, 'replicas'> = {},
): Promise<KubeSetting | undefined> {
  const binaries = await needBinaries(t);
  if (binaries === undefined) return undefined;
  // One after the other: each has time limits, and on a busy machine they would starve each other.
  const kube = await startKube(t);
  if (kube === undefined) return undefined;
  const redis = await RedisCluster.start({ redis: binaries.redis, ...cluster });
  t.after(() => redis.stop());
  return { kube, envoy: binaries.envoy, redis, seeds: redis.nodes.slice(0, 2).map((node) => node.port) };
}

/** Without a Redis. */
export async function startKube(
  t: TestContext,
  options: KubeClusterOptions = {},
): Promise<KubeCluster | undefined> {
  const kube = await KubeCluster.start(t, options);
  await kube?.installControlPlane();
  return kube;
}
