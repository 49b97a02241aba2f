import assert from 'node:assert/strict';
import { test } from 'node:test';

import { freePorts } from '../../src/demo/child-process.ts';
import { eventually as within } from '../../src/demo/eventually.ts';
import { startKubeControlPlane } from './kube-control-plane.ts';
import { clusterHost, documents, redisService, secret } from './kube-objects.ts';
import { startKubeSetting } from './kube-setting.ts';
import { connect, connectEnvoy } from './sidecar.ts';

const eventually = <T>(what: string, look: () => Promise<T | undefined> | T | undefined): Promise<T> =>
  within(what, look, { deadlineMs: 60_000, everyMs: 100 });

interface Dump {
  readonly views: readonly { readonly view: { readonly namespace?: string }; readonly resources: unknown }[];
}

test('a restart while objects are bad changes nothing for their clients', async (t) => {
  const setting = await startKubeSetting(t);
  if (setting === undefined) return;
  const { kube, envoy, seeds } = setting;
  const [xdsPort = 0] = await freePorts(1);
  let controlPlane = await startKubeControlPlane(t, kube, { xdsPort });

  const place = async (nodeId: string): Promise<{ namespace: string; port: number }> => {
    const namespace = await kube.newNamespace();
    const [port = 0] = await freePorts(1);
    await kube.apply(clusterHost(namespace, 'cache', port, seeds));
    await kube.apply(documents(secret(namespace, 'clients', { password: 'word' })));
    const settings = { readPolicy: 'REPLICA', auth: { secret: { name: 'clients' } } };
    await kube.apply(documents(redisService(namespace, 'cache', { settings })));
    const { xdsAddress } = controlPlane;
    await connectEnvoy(t, { envoy, xdsAddress, namespace, nodeId });
    await eventually('an answer', () => connect(t, port, { password: 'word' }).ping());
    return { namespace, port };
  };
  const keptOf = (namespace: string): unknown =>
    controlPlane
      .diagnostics()
      .find(({ object, reason }) => object?.namespace === namespace && reason === 'LastGoodKept');
  const memory = async (): Promise<string> =>
    (await kube.kubectl(['get', 'configmap', 'redpilot-memory', '-n', 'redpilot', '-o', 'yaml'])).stdout;
  const resourcesOf = async (namespace: string): Promise<unknown> => {
    const dump = (await (await fetch(`http://${controlPlane.adminAddress}/config_dump`)).json()) as Dump;
    return dump.views.find(({ view }) => view.namespace === namespace)?.resources;
  };

  const edited = await place('edited');
  await kube.apply(
    documents(redisService(edited.namespace, 'cache', { redis: [{ route: { host: 'not-there' } }] })),
  );
  const orphan = await place('orphan');
  await kube.kubectl(['delete', 'service', 'cache', '-n', orphan.namespace]);
  const annotated = await place('annotated');
  await kube.kubectl(['annotate', 'rsvc', 'cache', '-n', annotated.namespace, 'redpilot.dev/listen=nowhere']);
  const places = [edited, orphan, annotated];
  for (const { namespace } of places) {
    await eventually(`LastGoodKept of ${namespace}`, () => keptOf(namespace));
    await eventually('it is stored', async () => ((await memory()).includes(namespace) ? true : undefined));
  }
  const before = await Promise.all(places.map(({ namespace }) => resourcesOf(namespace)));

  await controlPlane.close();
  for (const { port } of places) assert.equal(await connect(t, port, { password: 'word' }).ping(), 'PONG');
  controlPlane = await startKubeControlPlane(t, kube, { xdsPort });
  await eventually('the Envoys are back', async () => {
    const found = await Promise.all(places.map(({ namespace }) => resourcesOf(namespace)));
    return found.every((resources) => resources !== undefined) ? true : undefined;
  });
  const after = await Promise.all(places.map(({ namespace }) => resourcesOf(namespace)));
  assert.deepEqual(after, before);
  for (const { namespace, port } of places) {
    assert.equal(await connect(t, port, { password: 'word' }).ping(), 'PONG');
    assert.ok(keptOf(namespace), namespace);
  }

  // Mended, it is forgotten.
  await kube.apply(documents(redisService(edited.namespace, 'cache')));
  await eventually('it is forgotten', async () =>
    (await memory()).includes(edited.namespace) ? undefined : true,
  );
});
