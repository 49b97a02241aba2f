/**
 * Each sample as it stands, behind a real Envoy: its hosts are nodes on this machine, and what they saw proves it. Those
 * that are Aeraki's too also through EnvoyFilters, in a sidecar as Istio makes it.
 */
import assert from 'node:assert/strict';
import { readFile, readdir } from 'node:fs/promises';
import { test, type TestContext } from 'node:test';

import { Redis } from 'ioredis';

import type { RedisBinary } from '../../src/demo/binaries.ts';
import { freePorts, removeFolder, temporaryFolder } from '../../src/demo/child-process.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { RedisCluster } from '../../src/demo/redis-cluster.ts';
import { startRedis, stopRedis, type RedisConfig, type RedisNode } from '../../src/demo/redis-node.ts';
import { countsOf } from '../../src/demo/traffic.ts';
import { createAuthority, validFor } from '../../src/tls/authority.ts';
import { SAMPLES } from '../golden/case.ts';
import { needEnvoy, needRedis, needTlsRedis } from './environment.ts';
import { documents, serviceObjects } from './objects.ts';
import { startPatchedSidecar } from './patched-sidecar.ts';
import { answerOf, connect, startSidecar } from './sidecar.ts';
import { startTlsRedis } from './tls-redis.ts';

interface Setting {
  readonly envoy: string;
  /** Told by our control plane, or by Istio's with EnvoyFilters of ours. */
  readonly toldBy: 'redpilot' | 'istio';
  readonly redis: RedisBinary;
  /** Of one shard with two replicas. */
  readonly cluster: RedisCluster;
}

interface Sample {
  /** Ports of 127.0.0.1, by the name of the host. */
  readonly nodes: Readonly<Record<string, readonly number[]>>;
  /** What has to be another on this machine. */
  readonly replace?: readonly (readonly [string | RegExp, string])[];
  readonly zone?: string;
}

/** The sample and the Services that its hosts are; gives the port that all of them have. */
async function run(
  t: TestContext,
  { envoy, toldBy }: Setting,
  name: string,
  sample: Sample,
): Promise<number> {
  const [port = 0] = await freePorts(1);
  let text = await readFile(`${SAMPLES}/${name}.yaml`, 'utf8');
  for (const [from, to] of sample.replace ?? []) {
    assert.ok(text.search(from) >= 0, `the sample has no ${String(from)}`);
    text = text.replaceAll(new RegExp(from, 'g'), to.replaceAll('PORT', String(port)));
  }
  const services = Object.entries(sample.nodes).flatMap(([host, endpoints]) =>
    serviceObjects({ name: host, port, endpoints }),
  );
  if (toldBy === 'istio') {
    await startPatchedSidecar(t, { envoy, texts: [text, documents(...services)], port });
    return port;
  }
  const { envoy: running, controlPlane } = await startSidecar(t, {
    envoy,
    ...(sample.zone === undefined ? {} : { node: { zone: sample.zone } }),
    files: {
      'sample.yaml': text,
      ...(services.length > 0 ? { 'services.yaml': documents(...services) } : {}),
    },
  });
  await eventually('a listener', async () =>
    (await running.admin('/listeners')).includes('.svc.cluster.local') ? true : undefined,
  );
  const wrong = controlPlane.diagnostics().filter(({ severity }) => severity === 'error');
  assert.deepEqual(wrong, []);
  return port;
}

async function startSingle(t: TestContext, { redis }: Setting, config: RedisConfig = {}): Promise<RedisNode> {
  const folder = await temporaryFolder('single');
  t.after(() => removeFolder(folder));
  const node = await startRedis({ server: redis.server, folder, config });
  t.after(() => stopRedis(node));
  return node;
}

async function answers(client: Redis): Promise<void> {
  await eventually('an answer', async () => ((await client.set('warm', 'up')) === 'OK' ? true : undefined));
}

const readsOn = async (node: { readonly client: Redis }): Promise<number> =>
  (await countsOf(node.client, { read: 'get', write: 'set' })).reads;

/** What `act` adds to the reads of each node. */
async function readsBy(
  nodes: readonly { readonly client: Redis }[],
  act: () => Promise<unknown>,
): Promise<readonly number[]> {
  const before = await Promise.all(nodes.map(readsOn));
  await act();
  const after = await Promise.all(nodes.map(readsOn));
  return after.map((reads, at) => reads - (before[at] ?? 0));
}

const read =
  (client: Redis, times: number): (() => Promise<void>) =>
  async () => {
    for (let at = 0; at < times; at++) await client.get('warm');
  };

const PATIENT = { maxRetriesPerRequest: 10 };

const CHECKS: Readonly<Record<string, (t: TestContext, setting: Setting) => Promise<void>>> = {
  'read-policy': async (t, setting) => {
    const { cluster } = setting;
    const [shard] = await cluster.shards();
    assert.ok(shard);
    const client = connect(
      t,
      await run(t, setting, 'read-policy', { nodes: { 'redis-cluster': [shard.primary] } }),
      PATIENT,
    );
    await answers(client);
    const nodes = [shard.primary, ...shard.replicas].map((port) => cluster.node(port));
    const [primary, ...replicas] = await readsBy(nodes, read(client, 100));
    assert.equal(primary, 0);
    assert.equal(
      replicas.reduce((sum, reads) => sum + reads, 0),
      100,
    );
  },
  cluster: async (t, setting) => {
    const { cluster } = setting;
    const [shard] = await cluster.shards();
    assert.ok(shard);
    // A replica as seed: only who follows the topology finds the primary.
    const port = await run(t, setting, 'cluster', { nodes: { 'redis-cluster': [shard.replicas[0] ?? 0] } });
    const client = connect(t, port, PATIENT);
    await answers(client);
    assert.deepEqual(await readsBy([cluster.node(shard.primary)], read(client, 50)), [50]);
  },
  routing: async (t, setting) => {
    const { cluster } = setting;
    const single = await startSingle(t, setting);
    const [shard] = await cluster.shards();
    const nodes = { 'redis-cluster': [shard?.primary ?? 0], 'redis-single': [single.port] };
    const client = connect(t, await run(t, setting, 'routing', { nodes }), PATIENT);
    await answers(client);
    await eventually('a key in the cluster', async () =>
      (await client.set('cluster:1', 'a')) === 'OK' ? true : undefined,
    );
    await client.set('other:1', 'b');
    assert.equal(await cluster.node(shard?.primary ?? 0).client.get('cluster:1'), 'a');
    assert.equal(await single.client.get('other:1'), 'b');
    assert.equal(await single.client.exists('cluster:1'), 0);
  },
  'traffic-mirroring': async (t, setting) => {
    const { cluster } = setting;
    const single = await startSingle(t, setting);
    const [shard] = await cluster.shards();
    const nodes = { 'redis-cluster': [shard?.primary ?? 0], 'redis-single': [single.port] };
    const client = connect(t, await run(t, setting, 'traffic-mirroring', { nodes }), PATIENT);
    await answers(client);
    await client.set('mirrored', 'value');
    assert.equal(await cluster.node(shard?.primary ?? 0).client.get('mirrored'), 'value');
    await eventually('the copy', async () =>
      (await single.client.get('mirrored')) === 'value' ? true : undefined,
    );
  },
  'fault-injection': async (t, setting) => {
    const single = await startSingle(t, setting);
    const client = connect(
      t,
      await run(t, setting, 'fault-injection', { nodes: { 'redis-single': [single.port] } }),
      PATIENT,
    );
    await answers(client);
    const got: unknown[] = [];
    const [reached] = await readsBy([single], async () => {
      for (let at = 0; at < 100; at++) got.push(await answerOf(client.get('warm')));
    });
    const errors = got.filter((answer) => /Fault Injected/.test(String(answer))).length;
    assert.ok(errors > 25 && errors < 75, `${errors} of 100 failed`);
    assert.equal(reached, 100 - errors);
    const started = performance.now();
    await client.set('slow', 'value');
    assert.ok(performance.now() - started >= 95);
    assert.match(String(await answerOf(client.flushall())), /Fault Injected/);
    assert.equal(await single.client.exists('slow'), 1);
  },
  'client-side-password': async (t, setting) => {
    const single = await startSingle(t, setting);
    const port = await run(t, setting, 'client-side-password', { nodes: { 'redis-single': [single.port] } });
    assert.match(String(await answerOf(connect(t, port).set('a', 'b'))), /NOAUTH/);
    assert.notEqual(await answerOf(connect(t, port, { password: 'wrong' }).set('a', 'b')), 'OK');
    assert.equal(await single.client.exists('a'), 0);
    await answers(connect(t, port, { ...PATIENT, password: 'testredis' }));
    assert.equal(await single.client.get('warm'), 'up');
  },
  'server-side-password': async (t, setting) => {
    const single = await startSingle(t, setting, { requirepass: 'testredis' });
    const client = connect(
      t,
      await run(t, setting, 'server-side-password', { nodes: { 'redis-single': [single.port] } }),
      PATIENT,
    );
    await answers(client);
    assert.equal(await single.client.get('warm'), 'up');
  },
  'external-redis': async (t, setting) => {
    const single = await startSingle(t, setting);
    const replace = [
      ['192\\.0\\.2\\.10', '127.0.0.1'],
      // The first is the Service's port, the second that of Redis.
      ['port: 6379\n---', 'port: PORT\n---'],
      ['port: 6379\nendpoints', `port: ${single.port}\nendpoints`],
    ] as const;
    const client = connect(t, await run(t, setting, 'external-redis', { nodes: {}, replace }), PATIENT);
    await answers(client);
    assert.equal(await single.client.get('warm'), 'up');
  },
  'primary-replicas': async (t, setting) => {
    const [primary, replica] = [await startSingle(t, setting), await startSingle(t, setting)];
    await replica.client.replicaof('127.0.0.1', primary.port);
    await eventually('the replica following', async () =>
      (await replica.client.info('replication')).includes('master_link_status:up') ? true : undefined,
    );
    const nodes = { 'redis-primary': [primary.port], 'redis-replicas': [replica.port] };
    const client = connect(t, await run(t, setting, 'primary-replicas', { nodes }), PATIENT);
    await answers(client);
    assert.deepEqual(await readsBy([primary, replica], read(client, 50)), [0, 50]);
    replica.process.signal('SIGKILL');
    await replica.process.ended;
    await eventually('reads from the primary', async () => {
      await read(client, 20)();
      return true;
    });
    assert.deepEqual(await readsBy([primary], read(client, 50)), [50]);
  },
  'zone-affinity': async (t, setting) => {
    const { cluster } = setting;
    const [shard] = await cluster.shards();
    const [near = 0, far = 0] = shard?.replicas ?? [];
    await cluster.node(near).client.config('SET', 'availability-zone', 'east');
    await cluster.node(far).client.config('SET', 'availability-zone', 'west');
    const port = await run(t, setting, 'zone-affinity', { nodes: { 'redis-cluster': [near] }, zone: 'east' });
    const client = connect(t, port, PATIENT);
    await answers(client);
    await eventually('all reads in the zone', async () => {
      const [ofNear, ofFar] = await readsBy([cluster.node(near), cluster.node(far)], read(client, 50));
      return ofNear === 50 && ofFar === 0 ? true : undefined;
    });
  },
  resp3: async (t, setting) => {
    const [shard] = await setting.cluster.shards();
    const port = await run(t, setting, 'resp3', { nodes: { 'redis-cluster': [shard?.primary ?? 0] } });
    assert.match(String(await answerOf(connect(t, port).get('key'))), /NOPROTO|max retries/);
    const client = new Redis({
      host: '127.0.0.1',
      port,
      protocol: 3,
      maxRetriesPerRequest: 10,
      enableReadyCheck: false,
    });
    client.on('error', () => {});
    t.after(() => client.disconnect());
    await answers(client);
    await client.hset('hash', 'field', 'value');
    await eventually('the copy on a replica', async () =>
      (await client.hget('hash', 'field')) === 'value' ? true : undefined,
    );
  },
  'several-hosts': async (t, setting) => {
    const { cluster } = setting;
    const single = await startSingle(t, setting);
    const [shard] = await cluster.shards();
    const nodes = { 'redis-cluster': [shard?.primary ?? 0], 'redis-single': [single.port] };
    const port = await run(t, setting, 'several-hosts', { nodes, replace: [[':6379', ':PORT']] });
    const [ofCluster, ofSingle] = ['127.0.0.2', '127.0.0.3'].map((host) =>
      connect(t, port, { ...PATIENT, host }),
    );
    assert.ok(ofCluster && ofSingle);
    await answers(ofCluster);
    await ofCluster.set('several', 'cluster');
    await ofSingle.set('several', 'single');
    assert.equal(await cluster.node(shard?.primary ?? 0).client.get('several'), 'cluster');
    assert.equal(await single.client.get('several'), 'single');
  },
  tls: async (t, setting) => {
    const redis = await needTlsRedis(t);
    if (redis === undefined) return;
    const authority = await createAuthority(validFor(1));
    const server = await authority.issueServer(['redis.example.com'], validFor(1));
    const { node, tlsPort } = await startTlsRedis(t, redis, { server, authorities: authority.certificate });
    const ours = authority.certificate.trim().replaceAll('\n', '\n    ');
    const replace = [['-----BEGIN[^]*?END CERTIFICATE-----', ours]] as const;
    const port = await run(t, setting, 'tls', { nodes: { 'redis-single': [tlsPort] }, replace });
    await answers(connect(t, port, PATIENT));
    assert.equal(await node.client.get('warm'), 'up');
  },
};

test('samples through a real Envoy', async (t) => {
  const envoy = await needEnvoy(t);
  // Valkey also tells its zone.
  const redis = envoy === undefined ? undefined : await needRedis(t, 'wheel');
  if (envoy === undefined || redis === undefined) return;
  const cluster = await RedisCluster.start({ redis, shards: 1, replicas: 2 });
  t.after(() => cluster.stop());
  for (const [name, check] of Object.entries(CHECKS)) {
    await t.test(name, async (st) => await check(st, { envoy, toldBy: 'redpilot', redis, cluster }));
  }
  for (const name of OF_AERAKI) {
    await t.test(`${name}, in a sidecar of Istio`, async (st) => {
      const check = CHECKS[name] ?? assert.fail(`no check of ${name}`);
      await check(st, { envoy, toldBy: 'istio', redis, cluster });
    });
  }
});

/** As Aeraki names them. */
const OF_AERAKI = [
  'read-policy',
  'cluster',
  'routing',
  'traffic-mirroring',
  'fault-injection',
  'client-side-password',
  'server-side-password',
  'external-redis',
] as const;

test('every sample is tried', async () => {
  const samples = (await readdir(SAMPLES)).map((file) => file.replace('.yaml', ''));
  assert.deepEqual(samples.toSorted(), Object.keys(CHECKS).toSorted());
});
