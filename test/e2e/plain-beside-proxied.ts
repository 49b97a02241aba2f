/**
 * A plain Redis to compare with, and what a proxy stands before meanwhile: another plain one, and a cluster without replicas.
 */
import type { TestContext } from 'node:test';

import type { RedisBinary } from '../../src/demo/binaries.ts';
import { removeFolder, temporaryFolder } from '../../src/demo/child-process.ts';
import { RedisCluster } from '../../src/demo/redis-cluster.ts';
import { startRedis, stopRedis, type RedisNode } from '../../src/demo/redis-node.ts';

export interface PlainBesideProxied {
  readonly plain: RedisNode;
  readonly behind: RedisNode;
  readonly cluster: RedisCluster;
}

export async function startPlainBesideProxied(
  t: TestContext,
  redis: RedisBinary,
): Promise<PlainBesideProxied> {
  const folder = await temporaryFolder('plain');
  t.after(() => removeFolder(folder));
  const plain = await startRedis({ server: redis.server, folder });
  t.after(() => stopRedis(plain));
  const behind = await startRedis({ server: redis.server, folder });
  t.after(() => stopRedis(behind));
  const cluster = await RedisCluster.start({ redis, replicas: 0 });
  t.after(() => cluster.stop());
  return { plain, behind, cluster };
}
