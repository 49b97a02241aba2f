/** What the oldest supported Envoy makes of what `serve` sends it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Redis } from 'ioredis';

import { freePorts, removeFolder, temporaryFolder } from '../../src/demo/child-process.ts';
import type { EnvoyProcess } from '../../src/demo/envoy-process.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { RedisCluster } from '../../src/demo/redis-cluster.ts';
import { startRedis, stopRedis } from '../../src/demo/redis-node.ts';
import { between, countsOf, splitByRole } from '../../src/demo/traffic.ts';
import { needEnvoy, needOldestEnvoy, needRedis } from './environment.ts';
import { hostObjects } from './objects.ts';
import { answerOf, connect, connectEnvoy, startSidecar } from './sidecar.ts';

const COMMANDS = { read: 'get', write: 'set' };
const KEYS = Array.from({ length: 200 }, (_, index) => `key:${index}`);

/** Who answers a write and a read of each key. */
async function splitOf(cluster: RedisCluster, client: Redis): Promise<ReturnType<typeof splitByRole>> {
  const counts = (): Promise<Awaited<ReturnType<typeof countsOf>>[]> =>
    Promise.all(cluster.nodes.map((node) => countsOf(node.client, COMMANDS)));
  const before = await counts();
  for (const key of KEYS) await client.set(key, 'value');
  await Promise.all(KEYS.map((key) => client.get(key)));
  const after = await counts();
  return splitByRole(after.map((now, index) => between(before[index], now)));
}

test('Envoy 1.36 carries out what it is sent', async (t) => {
  const envoy = await needOldestEnvoy(t);
  const redis = await needRedis(t);
  if (envoy === undefined || redis === undefined) return;
  const cluster = await RedisCluster.start({ redis, shards: 3, replicas: 1 });
  t.after(() => cluster.stop());
  const folder = await temporaryFolder('single');
  t.after(() => removeFolder(folder));
  const single = await startRedis({ server: redis.server, folder });
  t.after(() => stopRedis(single));
  const [clusterPort = 0, singlePort = 0, closedPort = 0, newerPort = 0] = await freePorts(4);
  const seeds = cluster.nodes.slice(0, 1).map(({ port }) => port);
  const auth = { secret: { name: 'nowhere' } };
  const sidecar = await startSidecar(t, {
    envoy,
    files: {
      'cluster.yaml': hostObjects({
        name: 'cluster',
        port: clusterPort,
        endpoints: seeds,
        mode: 'CLUSTER',
        settings: { readPolicy: 'REPLICA' },
      }),
      'single.yaml': hostObjects({
        name: 'single',
        port: singlePort,
        endpoints: [single.port],
        mode: 'PROXY',
      }),
      'newer.yaml': hostObjects({
        name: 'newer',
        port: newerPort,
        endpoints: seeds,
        mode: 'CLUSTER',
        settings: { readPolicy: 'PREFER_REPLICA' },
        annotations: { protocol: 'RESP3', 'zone-affinity': 'true' },
      }),
      'closed.yaml': hostObjects({
        name: 'closed',
        port: closedPort,
        endpoints: [single.port],
        mode: 'PROXY',
        settings: { auth },
      }),
    },
  });

  await t.test('reads go to replicas, writes to primaries', async () => {
    const client = connect(t, clusterPort, { maxRetriesPerRequest: 5 });
    await eventually('an answer', async () => ((await client.get('warm')) === null ? true : undefined));
    assert.deepEqual(await splitOf(cluster, client), {
      readsOnPrimaries: 0,
      readsOnReplicas: KEYS.length,
      writesOnPrimaries: KEYS.length,
      writesOnReplicas: 0,
    });
  });

  await t.test('a plain server answers', async () => {
    const client = connect(t, singlePort, { maxRetriesPerRequest: 5 });
    await eventually('an answer', async () =>
      (await client.set('key', 'value')) === 'OK' ? true : undefined,
    );
  });

  await t.test(
    'what asks for RESP3 and zones answers in RESP2, with reads on replicas of every zone',
    async () => {
      const client = connect(t, newerPort, { maxRetriesPerRequest: 5 });
      await eventually('an answer', async () => ((await client.get('warm')) === null ? true : undefined));
      const split = await splitOf(cluster, client);
      assert.deepEqual([split.readsOnReplicas, split.readsOnPrimaries], [KEYS.length, 0]);
    },
  );

  await t.test('each of the two is told, with the version and the field', () => {
    const told = sidecar.controlPlane
      .diagnostics()
      .filter(({ reason, message }) => reason === 'UnsupportedByEnvoy' && message.startsWith('Envoy 1.36.4 '))
      .map(({ object, path }) => `${object?.name}: ${path.at(-1)}`);
    assert.deepEqual(told, ['newer: redpilot.dev/protocol', 'newer: redpilot.dev/zone-affinity']);
  });

  await t.test('a listener whose password was never known is closed to everybody', async () => {
    const attempts: [what: string, credentials: { username?: string; password?: string }][] = [
      ['nothing', {}],
      ['a password', { password: 'guessed' }],
      ['the name that keeps it closed', { username: 'nobody', password: 'guessed' }],
    ];
    for (const [what, credentials] of attempts) {
      const client = connect(t, closedPort, { enableReadyCheck: false, ...credentials });
      const answer = String(await answerOf(client.set('stolen', 'value')));
      assert.match(answer, /^(NOAUTH|WRONGPASS) /, what);
    }
    assert.equal(await single.client.exists('stolen'), 0);
  });

  await t.test('it refused nothing, and met no field that it does not know', async () => {
    const stats = await sidecar.envoy.stats('update_rejected|dynamic_unknown_fields|server.version');
    assert.ok(stats.size >= 4, [...stats.keys()].join(', '));
    const refused = [...stats].filter(
      ([name, count]) => /update_rejected|unknown_fields/.test(name) && count > 0,
    );
    assert.deepEqual(refused, []);
  });
});

test('of one control plane an old Envoy gets RESP2 where a new one gets RESP3, and only the old one is told', async (t) => {
  const old = await needOldestEnvoy(t);
  const current = await needEnvoy(t);
  if (old === undefined || current === undefined) return;
  const [port = 0, nobody = 0] = await freePorts(2);
  const host = { name: 'three', port, endpoints: [nobody], mode: 'PROXY' as const };
  const files = { 'three.yaml': hostObjects({ ...host, annotations: { protocol: 'RESP3' } }) };
  const { envoy: first, controlPlane } = await startSidecar(t, { envoy: old, files, nodeId: 'old' });
  const { xdsAddress } = controlPlane;
  const node = { bind: '127.0.0.2' };
  const second = await connectEnvoy(t, { envoy: current, xdsAddress, nodeId: 'current', node });
  assert.deepEqual([await protocolOf(first), await protocolOf(second)], ['RESP2', 'RESP3']);
  const told = controlPlane.diagnostics().filter(({ reason }) => reason === 'UnsupportedByEnvoy');
  assert.deepEqual(
    told.map(({ message }) => message.split(' ', 2).join(' ')),
    ['Envoy 1.36.4'],
  );
});

async function protocolOf(envoy: EnvoyProcess): Promise<string> {
  const dump = await eventually('a listener', async () => {
    const listeners = await envoy.admin('/config_dump?resource=dynamic_listeners');
    return listeners.includes('redis_proxy') ? listeners : undefined;
  });
  return /"protocol_version": "(\w+)"/.exec(dump)?.[1] ?? 'RESP2';
}
