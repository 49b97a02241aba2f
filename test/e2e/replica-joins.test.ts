import assert from 'node:assert/strict';
import { test } from 'node:test';

import { freePorts } from '../../src/demo/child-process.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { startLoad } from '../../src/demo/load.ts';
import { RedisCluster } from '../../src/demo/redis-cluster.ts';
import { between, countsOf } from '../../src/demo/traffic.ts';
import { needBinaries } from './environment.ts';
import { hostObjects } from './objects.ts';
import { startSidecar } from './sidecar.ts';

const COMMANDS = { read: 'get', write: 'set' };

test('a replica that joins gets its share of the reads, and one that leaves costs no command', async (t) => {
  const binaries = await needBinaries(t);
  if (binaries === undefined) return;
  const cluster = await RedisCluster.start({ redis: binaries.redis, shards: 1, replicas: 1 });
  t.after(() => cluster.stop());
  const [port = 0] = await freePorts(1);
  const seed = cluster.nodes[0]?.port ?? 0;
  const objects = hostObjects({
    name: 'redis-cluster',
    port,
    endpoints: [seed],
    mode: 'CLUSTER',
    settings: { readPolicy: 'REPLICA' },
  });
  const { envoy } = await startSidecar(t, { envoy: binaries.envoy, files: { 'cluster.yaml': objects } });
  const load = startLoad(port);
  t.after(() => load.stop());
  await eventually('reads', () => (load.totals().reads > 100 ? true : undefined));

  const joined = await cluster.addReplica(0);
  await t.test('it has its share within 10 s after CLUSTER SLOTS lists it', async () => {
    await eventually('CLUSTER SLOTS listing it', async () => {
      const [shard] = await cluster.shards();
      return shard?.replicas.includes(joined.port) === true ? true : undefined;
    });
    const other = cluster.nodes.find((node) => node.port === seed) ?? joined;
    const [first] = await cluster.shards();
    const replica = cluster.node(
      first?.replicas.find((candidate) => candidate !== joined.port) ?? other.port,
    );
    const share = await eventually('a share of the reads between 40 % and 60 %', async () => {
      const before = await Promise.all([joined, replica].map(({ client }) => countsOf(client, COMMANDS)));
      const start = load.totals().reads;
      await eventually('some reads', () => (load.totals().reads - start > 200 ? true : undefined));
      const after = await Promise.all([joined, replica].map(({ client }) => countsOf(client, COMMANDS)));
      const [own = 0, rest = 0] = after.map((counts, index) => between(before[index], counts).reads);
      const part = own / (own + rest);
      return part > 0.4 && part < 0.6 ? part : undefined;
    });
    assert.ok(share > 0);
    assert.equal(load.totals().errors, 0, load.lastError());
  });

  await t.test('taking it away again loses no command', async () => {
    const { errors } = load.totals();
    await cluster.removeReplica(joined, async () => {
      // Envoy follows the cluster's own list; the node is stopped once nobody reads from it.
      await eventually('Envoy dropping the node', async () =>
        (await envoy.admin('/clusters')).includes(`:${joined.port}::`) ? undefined : true,
      );
    });
    const { reads } = load.totals();
    await eventually('further reads', () => (load.totals().reads > reads + 200 ? true : undefined));
    assert.equal(load.totals().errors - errors, 0, load.lastError());
  });
});
