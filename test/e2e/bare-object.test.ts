import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';

import { freePorts } from '../../src/demo/child-process.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { RedisCluster } from '../../src/demo/redis-cluster.ts';
import { between, countsOf, splitByRole } from '../../src/demo/traffic.ts';
import { needBinaries } from './environment.ts';
import { documents, serviceObjects } from './objects.ts';
import { connect, startSidecar } from './sidecar.ts';

const SAMPLE = new URL('../../manifests/samples/read-policy.yaml', import.meta.url);
const COMMANDS = { read: 'get', write: 'set' };

for (const delta of [true, false]) {
  test(`the bare object with a Service and its EndpointSlice reads from replicas only (${delta ? 'delta' : 'state of the world'})`, async (t) => {
    const binaries = await needBinaries(t);
    if (binaries === undefined) return;
    const cluster = await RedisCluster.start({ redis: binaries.redis });
    t.after(() => cluster.stop());
    const [port = 0] = await freePorts(1);
    const endpoints = cluster.nodes.slice(0, 1).map((node) => node.port);
    await startSidecar(t, {
      envoy: binaries.envoy,
      delta,
      files: {
        'redis-cluster.yaml': await readFile(SAMPLE, 'utf8'),
        'service.yaml': documents(...serviceObjects({ name: 'redis-cluster', port, endpoints })),
      },
    });
    const client = connect(t, port, { maxRetriesPerRequest: 5 });
    await eventually('an answer', async () => ((await client.get('warm')) === null ? true : undefined));

    const before = new Map(
      await Promise.all(
        cluster.nodes.map(async (node) => [node.port, await countsOf(node.client, COMMANDS)] as const),
      ),
    );
    const keys = Array.from({ length: 500 }, (_, index) => `key:${index}`);
    for (const key of keys) await client.set(key, 'value');
    await Promise.all(keys.map((key) => client.get(key)));
    const seen = await Promise.all(
      cluster.nodes.map(async (node) =>
        between(before.get(node.port), await countsOf(node.client, COMMANDS)),
      ),
    );
    assert.deepEqual(splitByRole(seen), {
      readsOnPrimaries: 0,
      readsOnReplicas: keys.length,
      writesOnPrimaries: keys.length,
      writesOnReplicas: 0,
    });
  });
}
