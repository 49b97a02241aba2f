/**
 * A sidecar of a real istiod, with the EnvoyFilters of redpilot, in front of a real Redis Cluster: where its reads go,
 * counted on the nodes.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { Redis } from 'ioredis';
import { stringify } from 'yaml';

import type { ReadPolicy } from '../../src/api/objects.ts';
import { translateToIstio } from '../../src/commands/translate-istio.ts';
import { findRedis } from '../../src/demo/binaries.ts';
import { freePorts, removeFolder, temporaryFolder } from '../../src/demo/child-process.ts';
import type { EnvoyProcess } from '../../src/demo/envoy-process.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { RedisCluster } from '../../src/demo/redis-cluster.ts';
import { between, countsOf, obeys, splitByRole, type Counts } from '../../src/demo/traffic.ts';
import type { EnvoyFilterBody } from '../../src/istio/envoy-filter.ts';
import { ClusterRetention } from '../../src/istio/retention.ts';
import { readFiles } from '../../src/sources/files/read.ts';
import { startIstiod, type Istiod } from './istiod.ts';
import { startMeshSidecar } from './mesh-sidecar.ts';

const POLICIES: readonly ReadPolicy[] = ['MASTER', 'PREFER_MASTER', 'REPLICA', 'PREFER_REPLICA', 'ANY'];
const READS = 3_000;

/** A line for each policy; fails where the nodes saw something else. */
export async function showReads(binaries: {
  readonly istiod: string;
  readonly envoy: string;
}): Promise<readonly string[]> {
  const closing: (() => Promise<void>)[] = [];
  try {
    const cluster = await RedisCluster.start({ redis: await findRedis(), nodeTimeoutMs: 60_000 });
    closing.push(() => cluster.stop());
    const ports = await freePorts(POLICIES.length);
    const seed = cluster.nodes[0]?.port ?? 0;
    const bodies = await filtersFor(ports, seed);
    const mesh = await startIstiod(
      binaries.istiod,
      { kubernetes: [], istio: bodies },
      { redisFilter: false },
    );
    closing.push(() => mesh.stop());
    const { envoy } = binaries;
    const sidecar = await startMeshSidecar({ envoy, istiodPort: mesh.port, namespace: 'redis' });
    closing.push(() => sidecar.stop());
    await eventually(
      'the sidecar ready',
      async () => ((await sidecar.admin('/ready')).trim() === 'LIVE' ? true : undefined),
      { deadlineMs: 60_000 },
    );
    const lines: string[] = [];
    for (const [at, policy] of POLICIES.entries()) {
      const client = new Redis({ host: '127.0.0.1', port: ports[at] ?? 0, lazyConnect: true, protocol: 2 });
      closing.push(async () => client.disconnect());
      await eventually(
        'an answer',
        async () => ((await client.set('key', 'v')) === 'OK' ? true : undefined),
        {
          deadlineMs: 30_000,
        },
      );
      const before = await countsOfAll(cluster);
      for (let sent = 0; sent < READS; sent += 100) {
        const batch = client.pipeline();
        for (let key = 0; key < 100; key++) batch.get(`key:${sent + key}`);
        for (const [error] of (await batch.exec()) ?? []) if (error !== null) throw error;
      }
      const after = await countsOfAll(cluster);
      const split = splitByRole(after.map((counts, node) => between(before[node], counts)));
      lines.push(
        `${policy} through istiod: ${split.readsOnPrimaries} reads on primaries, ${split.readsOnReplicas} on replicas`,
      );
      if (obeys(policy, split) !== true) throw new Error(`not what ${policy} means: ${lines.at(-1)}`);
    }
    lines.push(await showDraining(mesh, sidecar, bodies, ports[0] ?? 0));
    return lines;
  } finally {
    for (const close of closing.reverse()) await close();
  }
}

/** A connection that was open keeps its clusters when the EnvoyFilter goes, so that a transaction does no harm. */
async function showDraining(
  mesh: Istiod,
  sidecar: EnvoyProcess,
  bodies: readonly EnvoyFilterBody[],
  port: number,
): Promise<string> {
  const client = new Redis({ host: '127.0.0.1', port, protocol: 2, retryStrategy: null });
  try {
    await client.set('key', 'before');
    const retention = new ClusterRetention({ drainMs: 60_000, priority: 10 });
    const present = bodies.map(({ metadata, spec }) => {
      return [`${metadata.namespace}/${metadata.name}`, { owner: 'redis/gone', spec }] as const;
    });
    const nothing = { write: [], keep: [], diagnostics: [] };
    const { filters } = retention.follow(nothing, present, 0);
    await mesh.change(filters.write.map(({ body }) => body));
    await eventually(
      'the listeners gone',
      async () => ((await sidecar.admin('/listeners')).includes('redpilot_') ? undefined : true),
      { deadlineMs: 30_000 },
    );
    const answers = await client.multi().set('key', 'after').exec();
    const answer = answers?.[0]?.[1];
    if (answer !== 'OK' || !sidecar.process.isRunning())
      throw new Error(`a transaction answered ${String(answer)}`);
    return `a transaction on a connection that was open when its EnvoyFilter went: ${answer}`;
  } finally {
    client.disconnect();
  }
}

function countsOfAll(cluster: RedisCluster): Promise<readonly Counts[]> {
  return Promise.all(cluster.nodes.map(({ client }) => countsOf(client, { read: 'get', write: 'set' })));
}

/** A host and an address to listen on for each policy, all of them the same Redis Cluster. */
async function filtersFor(ports: readonly number[], seed: number): Promise<readonly EnvoyFilterBody[]> {
  const documents = POLICIES.flatMap((readPolicy, at) => {
    const host = `${readPolicy.toLowerCase().replace('_', '-')}.example.com`;
    const metadata = { name: host, namespace: 'redis' };
    const apiVersion = 'redis.aeraki.io/v1alpha1';
    return [
      {
        apiVersion,
        kind: 'RedisService',
        metadata: { ...metadata, annotations: { 'redpilot.dev/listen': `127.0.0.1:${ports[at]}` } },
        spec: { host: [host], settings: { readPolicy } },
      },
      {
        apiVersion,
        kind: 'RedisDestination',
        metadata,
        spec: {
          host,
          trafficPolicy: {
            connectionPool: { redis: { mode: 'CLUSTER', discoveryEndpoints: [`127.0.0.1:${seed}`] } },
          },
        },
      },
    ];
  });
  const folder = await temporaryFolder('objects');
  const file = join(folder, 'objects.yaml');
  await writeFile(file, documents.map((document) => stringify(document)).join('---\n'));
  const { objects } = await readFiles([file]);
  await removeFolder(folder);
  return translateToIstio(objects, {}, { write: (secret) => secret.reveal() }).bodies;
}
