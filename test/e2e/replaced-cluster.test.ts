import { test } from 'node:test';

import { freePorts } from '../../src/demo/child-process.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { RedisCluster } from '../../src/demo/redis-cluster.ts';
import { needBinaries } from './environment.ts';
import { destination, documents, redisService } from './kube-objects.ts';
import { connect, startSidecar } from './sidecar.ts';
import { startTroubledWire } from './troubled-wire.ts';

const NAMESPACE = 'redis';

test('a Redis Cluster whose nodes are all replaced at once is found again', async (t) => {
  const binaries = await needBinaries(t);
  if (binaries === undefined) return;
  const { redis } = binaries;
  const start = async (): Promise<RedisCluster> => {
    const cluster = await RedisCluster.start({ redis, replicas: 0 });
    t.after(() => cluster.stop());
    return cluster;
  };
  const [first, second] = await Promise.all([start(), start()]);
  // What a Service's name is elsewhere: a place that stays, before servers that don't.
  const name = await startTroubledWire(t, portOf(first));
  const [port = 0] = await freePorts(1);
  const objects = (cluster: RedisCluster): string =>
    documents(
      redisService(NAMESPACE, 'cache'),
      destination(NAMESPACE, 'cache', { mode: 'CLUSTER', discoveryEndpoints: [`127.0.0.1:${name.port}`] }),
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'cache', namespace: NAMESPACE },
        spec: { clusterIP: 'None', selector: { app: 'cache' }, ports: [{ name: 'redis', port }] },
      },
      {
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: {
          name: 'cache-1',
          namespace: NAMESPACE,
          labels: { 'kubernetes.io/service-name': 'cache' },
        },
        addressType: 'IPv4',
        // All nodes are at one address, so the port tells them apart.
        ports: [{ name: 'redis', port: portOf(cluster) }],
        endpoints: [{ addresses: ['127.0.0.1'] }],
      },
    );
  const sidecar = await startSidecar(t, {
    envoy: binaries.envoy,
    files: { 'cache.yaml': objects(first) },
  });
  const client = connect(t, port, { maxRetriesPerRequest: 20 });
  const isServedBy = async (cluster: RedisCluster, key: string): Promise<true | undefined> => {
    await client.set(key, 'value');
    const found = await Promise.all(cluster.nodes.map((node) => node.client.exists(key).catch(() => 0)));
    return found.includes(1) ? true : undefined;
  };
  await eventually('an answer of the first', () => isServedBy(first, 'before'), { deadlineMs: 60_000 });

  name.leadTo(portOf(second));
  await first.stop();
  await sidecar.write('cache.yaml', objects(second));
  await eventually('an answer of the second', () => isServedBy(second, 'after'), { deadlineMs: 60_000 });
});

function portOf(cluster: RedisCluster): number {
  return cluster.nodes[0]?.port ?? 0;
}
