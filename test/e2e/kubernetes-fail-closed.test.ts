/**
 * A RedisDestination that the API server takes and redpilot refuses, as under a definition that is older or made by hand:
 * looked at on the wire.
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';

import { parse } from 'yaml';

import { eventually } from '../../src/demo/eventually.ts';
import { needEnvoy } from './environment.ts';
import type { KubeCluster } from './kube-cluster.ts';
import { startKubeControlPlane } from './kube-control-plane.ts';
import { redisService, service } from './kube-objects.ts';
import { startKube } from './kube-setting.ts';
import { awaitStatus, messageOf } from './kube-status.ts';
import { startRecordingNode } from './recording-node.ts';
import { answerOf, connect, connectEnvoy } from './sidecar.ts';
import { startTroubledWire } from './troubled-wire.ts';

/** Where Envoy listens: Redis has the same port on 127.0.0.1. */
const ENVOY = '127.0.0.2';

test('a RedisDestination that only redpilot refuses opens nothing, until it is mended', async (t) => {
  const envoy = await needEnvoy(t);
  if (envoy === undefined) return;
  const kube = await startKube(t);
  if (kube === undefined) return;
  await takeEverything(kube);
  const node = await startRecordingNode(t);
  // Counts connections: not even the beginning of a handshake may arrive.
  const wire = await startTroubledWire(t, node.port);
  const controlPlane = await startKubeControlPlane(t, kube, { probe: true });
  const namespace = await kube.newNamespace('refused');
  const put = async (connectTimeout: unknown, tls: object): Promise<void> => {
    const trafficPolicy = { connectionPool: { tcp: { connectTimeout }, redis: { mode: 'PROXY' } }, tls };
    await kube.put({
      apiVersion: 'redis.aeraki.io/v1alpha1',
      kind: 'RedisDestination',
      metadata: { name: 'cache', namespace },
      spec: { host: 'cache', trafficPolicy },
    });
  };
  const local = { type: 'ExternalName', externalName: 'localhost' };
  const ports = [{ name: 'redis', port: wire.port }];
  await put(5, { mode: 'SIMPLE' });
  await kube.put({ ...service(namespace, 'cache', 0), spec: { ...local, ports } });
  await kube.put(redisService(namespace, 'cache'));
  const nodeId = namespace;
  const { xdsAddress } = controlPlane;
  await connectEnvoy(t, { envoy, xdsAddress, namespace, nodeId, node: { bind: ENVOY } });
  const set = (): Promise<unknown> => {
    const alone = { host: ENVOY, enableReadyCheck: false };
    return answerOf(connect(t, wire.port, alone).set('key', 'value'));
  };
  const ofDestination = { namespace, plural: 'redisdestinations' } as const;

  const refused = await awaitStatus(kube, ofDestination, 'Accepted=False/InvalidValue ResolvedRefs=True');
  assert.match(messageOf(refused, 'Accepted'), /connectTimeout: 5 has no unit; write 5s/);
  const closed = await awaitStatus(
    kube,
    { namespace },
    'Accepted=True ResolvedRefs=False/CredentialsUnavailable Programmed=True',
  );
  assert.match(
    messageOf(closed, 'ResolvedRefs'),
    /RedisDestination \S+ has a mistake, and cache\S+ must not be/,
  );
  assert.match(String(await set()), /upstream failure|no upstream/);
  assert.equal(wire.opened(), 0);

  await put('5s', { mode: 'DISABLE' });
  await awaitStatus(kube, ofDestination, 'Accepted=True ResolvedRefs=True');
  await awaitStatus(kube, { namespace }, 'Accepted=True ResolvedRefs=True Programmed=True');
  await eventually('an answer', async () => ((await set()) === 'OK' ? true : undefined));

  await put(5, { mode: 'SIMPLE' });
  const kept = await awaitStatus(kube, ofDestination, 'Accepted=False/InvalidValue ResolvedRefs=True');
  assert.match(messageOf(kept, 'Accepted'), /its last good version stays in force until this is mended/);
  await awaitStatus(kube, { namespace }, 'Accepted=True ResolvedRefs=True Programmed=True');
  assert.equal(await set(), 'OK');
});

/** Of RedisDestinations the API server checks nothing from now on. */
async function takeEverything(kube: KubeCluster): Promise<void> {
  const file = new URL('../../manifests/crds/redisdestinations.yaml', import.meta.url);
  const { metadata } = parse(await readFile(file, 'utf8')) as {
    readonly metadata: { readonly name: string };
  };
  const path = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${metadata.name}`;
  const openAPIV3Schema = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true };
  await kube.request(path, {
    method: 'PATCH',
    contentType: 'application/json-patch+json',
    body: [{ op: 'replace', path: '/spec/versions/0/schema', value: { openAPIV3Schema } }],
  });
}
