/** Aeraki's samples and what its own end-to-end tests try, applied to a cluster, behind a real Envoy. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test, type TestContext } from 'node:test';

import { parseAllDocuments } from 'yaml';

import { freePorts, removeFolder, temporaryFolder } from '../../src/demo/child-process.ts';
import { eventually as within } from '../../src/demo/eventually.ts';
import { startRedis, stopRedis, type RedisConfig, type RedisNode } from '../../src/demo/redis-node.ts';
import { needRedis } from './environment.ts';
import { startKubeControlPlane } from './kube-control-plane.ts';
import { destination, documents, redisService, service } from './kube-objects.ts';
import { startKubeSetting } from './kube-setting.ts';
import { answerOf, connect, connectEnvoy } from './sidecar.ts';

const eventually = <T>(what: string, look: () => Promise<T | undefined>): Promise<T> =>
  within(what, look, { deadlineMs: 60_000, everyMs: 50 });

const SAMPLES = new URL('aeraki-samples.yaml', import.meta.url);
/** Where Envoy listens: the servers have the same ports on 127.0.0.1. */
const ENVOY = '127.0.0.2';
const PATIENT = { host: ENVOY, maxRetriesPerRequest: 20 };
const PASSWORD = 'testredis';

interface Sample {
  readonly kind: string;
  readonly metadata: { readonly name: string };
}

test("Aeraki's samples in a cluster", async (t) => {
  const setting = await startKubeSetting(t, { replicas: 0 });
  const redis = await needRedis(t);
  if (setting === undefined || redis === undefined) return;
  const { kube, envoy, redis: cluster, seeds } = setting;
  const { xdsAddress } = await startKubeControlPlane(t, kube);
  const samples = await readFile(SAMPLES, 'utf8');

  /** Of Aeraki's two hosts; `names` are samples as they are published, but for the namespace. */
  const place = async (
    t: TestContext,
    names: readonly string[],
    options: {
      readonly config?: RedisConfig;
      readonly beside?: (namespace: string) => readonly object[];
    } = {},
  ): Promise<{ single: RedisNode; ports: { readonly ofCluster: number; readonly ofSingle: number } }> => {
    const folder = await temporaryFolder('single');
    t.after(() => removeFolder(folder));
    const single = await startRedis({ server: redis.server, folder, ...options });
    t.after(() => stopRedis(single));
    const namespace = await kube.newNamespace('aeraki');
    const [ofCluster = 0] = await freePorts(1);
    const here = { type: 'ExternalName', externalName: 'localhost' };
    const redisPort = { name: 'tcp-redis', port: single.port };
    const published = parseAllDocuments(
      samples
        .replaceAll('namespace: redis', `namespace: ${namespace}`)
        .replaceAll('.redis.svc.cluster.local', `.${namespace}.svc.cluster.local`)
        .replaceAll(', port: 6379', ''),
    ).map((document) => document.toJS() as Sample);
    const chosen = published.filter(({ metadata }) => names.includes(metadata.name));
    assert.equal(new Set(chosen.map(({ metadata }) => metadata.name)).size, names.length);
    await kube.apply(
      documents(
        service(namespace, 'redis-cluster', ofCluster),
        { ...service(namespace, 'redis-single', single.port), spec: { ...here, ports: [redisPort] } },
        // What stands for the StatefulSet of Aeraki's samples and its sample `cluster`.
        destination(namespace, 'redis-cluster', {
          mode: 'CLUSTER',
          discoveryEndpoints: seeds.map((seed) => `127.0.0.1:${seed}`),
        }),
        ...chosen,
        ...(options.beside?.(namespace) ?? []),
      ),
    );
    await connectEnvoy(t, { envoy, xdsAddress, namespace, nodeId: namespace, node: { bind: ENVOY } });
    return { single, ports: { ofCluster, ofSingle: single.port } };
  };
  const inCluster = async (key: string): Promise<boolean> => {
    const found = await Promise.all(cluster.nodes.map((node) => node.client.exists(key).catch(() => 0)));
    return found.includes(1);
  };
  const bare = (namespace: string): readonly object[] => [redisService(namespace, 'redis-single')];

  await t.test('the password is put in by the sidecar', async (t) => {
    // Aeraki serves a host without a RedisService; here a bare one asks for it.
    const config = { requirepass: PASSWORD };
    const names = ['server-side-password', 'redis-single'];
    const { single, ports } = await place(t, names, { config, beside: bare });
    const client = connect(t, ports.ofSingle, PATIENT);
    await eventually('an answer', () => client.set('key', 'value'));
    assert.match(String(await answerOf(connect(t, ports.ofSingle).get('key'))), /NOAUTH/);
    assert.equal(await single.client.auth(PASSWORD), 'OK');
    assert.equal(await single.client.get('key'), 'value');
  });

  await t.test('clients must present a password', async (t) => {
    const { single, ports } = await place(t, ['client-side-password']);
    await eventually('an answer', () =>
      connect(t, ports.ofSingle, { ...PATIENT, password: PASSWORD }).set('key', 'value'),
    );
    for (const password of [undefined, 'wrong']) {
      const host = { host: ENVOY, enableReadyCheck: false };
      const client = connect(t, ports.ofSingle, password === undefined ? host : { ...host, password });
      assert.notEqual(await answerOf(client.set('other', 'value')), 'OK');
    }
    assert.deepEqual(await single.client.keys('*'), ['key']);
  });

  await t.test('keys are routed by their prefix', async (t) => {
    const { single, ports } = await place(t, ['routing']);
    const client = connect(t, ports.ofCluster, PATIENT);
    await eventually('an answer', () => client.set('cluster-key', 'value'));
    await client.set('other-key', 'value');
    assert.deepEqual([await inCluster('cluster-key'), await inCluster('other-key')], [true, false]);
    assert.deepEqual(await single.client.keys('*'), ['other-key']);
  });

  await t.test('commands are mirrored', async (t) => {
    const { single, ports } = await place(t, ['traffic-mirroring']);
    const client = connect(t, ports.ofCluster, PATIENT);
    await eventually('an answer', () => client.set('mirrored-key', 'value'));
    assert.ok(await inCluster('mirrored-key'));
    await eventually('the copy', async () =>
      (await single.client.get('mirrored-key')) === 'value' ? true : undefined,
    );
  });

  await t.test('half of the reads are answered with an injected error', async (t) => {
    const { ports } = await place(t, ['fault-injection']);
    const client = connect(t, ports.ofCluster, PATIENT);
    await eventually('an answer', () => client.set('faulty-key', 'value'));
    const answers = await Promise.all(Array.from({ length: 200 }, () => answerOf(client.get('faulty-key'))));
    const errors = answers.filter((answer) => /Fault Injected/.test(String(answer))).length;
    // Six standard deviations.
    assert.ok(errors > 57 && errors < 143, `${errors} of 200`);
    assert.ok(answers.includes('value'));
  });

  await t.test('all at once: two hosts, a password on either side, routing', async (t) => {
    const config = { requirepass: PASSWORD };
    const { single, ports } = await place(t, ['end-to-end', 'redis-single'], { config });
    const clients = [ports.ofCluster, ports.ofSingle].map((port) =>
      connect(t, port, { ...PATIENT, password: PASSWORD }),
    );
    for (const [index, client] of clients.entries()) {
      await eventually('an answer', () => client.set(`cluster-${index}`, 'value'));
      await client.set(`other-${index}`, 'value');
    }
    await single.client.auth(PASSWORD);
    assert.deepEqual((await single.client.keys('*')).toSorted(), ['other-0', 'other-1']);
    assert.deepEqual(await Promise.all(['cluster-0', 'cluster-1'].map(inCluster)), [true, true]);
    const stranger = connect(t, ports.ofCluster, { host: ENVOY, enableReadyCheck: false });
    assert.match(String(await answerOf(stranger.get('other-0'))), /NOAUTH/);
  });
});
