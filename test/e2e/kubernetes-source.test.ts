import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import { freePorts } from '../../src/demo/child-process.ts';
import { eventually as within } from '../../src/demo/eventually.ts';
import { between, countsOf, splitByRole } from '../../src/demo/traffic.ts';
import { startKubeControlPlane } from './kube-control-plane.ts';
import { clusterHost, documents, redisService, secret } from './kube-objects.ts';
import { startKubeProxy } from './kube-proxy.ts';
import { startKubeSetting } from './kube-setting.ts';
import { answerOf, connect, connectEnvoy } from './sidecar.ts';

/** The machine may be busy with other things: correctness must not hang on speed. */
const eventually = <T>(what: string, look: () => Promise<T | undefined> | T | undefined): Promise<T> =>
  within(what, look, { deadlineMs: 60_000, everyMs: 50 });

const COMMANDS = { read: 'get', write: 'set' };

test('objects of a cluster', async (t) => {
  const setting = await startKubeSetting(t);
  if (setting === undefined) return;
  const { kube, envoy, redis, seeds } = setting;
  const controlPlane = await startKubeControlPlane(t, kube, { secretsIntervalMs: 500 });
  const { xdsAddress } = controlPlane;

  /** A namespace with a host, and an Envoy of a client in it. */
  const place = async (t: TestContext, auth?: unknown): Promise<{ namespace: string; port: number }> => {
    const namespace = await kube.newNamespace();
    const [port = 0] = await freePorts(1);
    await kube.apply(clusterHost(namespace, 'cache', port, seeds, auth));
    await connectEnvoy(t, { envoy, xdsAddress, namespace, nodeId: namespace });
    return { namespace, port };
  };

  await t.test('kubectl apply is followed by reads from replicas only', async (t) => {
    const { namespace, port } = await place(t);
    await kube.apply(documents(redisService(namespace, 'cache', { settings: { readPolicy: 'REPLICA' } })));
    const client = connect(t, port, { maxRetriesPerRequest: 20 });
    await eventually('an answer', async () => ((await client.get('warm')) === null ? true : undefined));
    const before = new Map(
      await Promise.all(
        redis.nodes.map(async (node) => [node.port, await countsOf(node.client, COMMANDS)] as const),
      ),
    );
    const keys = Array.from({ length: 200 }, (_, index) => `key:${index}`);
    for (const key of keys) await client.set(key, 'value');
    await Promise.all(keys.map((key) => client.get(key)));
    const seen = await Promise.all(
      redis.nodes.map(async (node) => between(before.get(node.port), await countsOf(node.client, COMMANDS))),
    );
    assert.deepEqual(splitByRole(seen), {
      readsOnPrimaries: 0,
      readsOnReplicas: keys.length,
      writesOnPrimaries: keys.length,
      writesOnReplicas: 0,
    });
  });

  await t.test('an object that is deleted is gone from the data plane', async (t) => {
    const { namespace, port } = await place(t);
    await kube.apply(documents(redisService(namespace, 'cache')));
    await eventually('an answer', () => connect(t, port).ping());
    await kube.kubectl(['delete', 'rsvc', 'cache', '-n', namespace]);
    await eventually('no listener', async () =>
      (await answerOf(connect(t, port).ping())) === 'PONG' ? undefined : true,
    );
  });

  await t.test('an object before its Service waits for it', async (t) => {
    const namespace = await kube.newNamespace();
    const [port = 0] = await freePorts(1);
    await connectEnvoy(t, { envoy, xdsAddress, namespace, nodeId: namespace });
    await kube.apply(documents(redisService(namespace, 'cache')));
    await eventually('a Diagnostic', () =>
      controlPlane
        .diagnostics()
        .find(({ object, reason }) => object?.namespace === namespace && reason === 'HostNotFound'),
    );
    await kube.apply(clusterHost(namespace, 'cache', port, seeds));
    await eventually('an answer', () => connect(t, port).ping());
  });

  await t.test('a Service that goes leaves in force what was', async (t) => {
    const { namespace, port } = await place(t);
    await kube.apply(documents(redisService(namespace, 'cache')));
    await eventually('an answer', () => connect(t, port).ping());
    await kube.kubectl(['delete', 'service', 'cache', '-n', namespace]);
    await eventually('LastGoodKept', () =>
      controlPlane
        .diagnostics()
        .find(({ object, reason }) => object?.namespace === namespace && reason === 'LastGoodKept'),
    );
    assert.equal(await connect(t, port).ping(), 'PONG');
  });

  await t.test(
    'a rotated Secret arrives, and one that is deleted leaves the last password in force',
    async (t) => {
      const { namespace, port } = await place(t);
      await kube.apply(documents(secret(namespace, 'clients', { password: 'first' })));
      const settings = { auth: { secret: { name: 'clients' } } };
      await kube.apply(documents(redisService(namespace, 'cache', { settings })));
      await eventually('the first password', () => connect(t, port, { password: 'first' }).ping());
      assert.match(String(await answerOf(connect(t, port, { enableReadyCheck: false }).get('a'))), /NOAUTH/);

      await kube.apply(documents(secret(namespace, 'clients', { password: 'second' })));
      await eventually('the second password', () => connect(t, port, { password: 'second' }).ping());

      await kube.kubectl(['delete', 'secret', 'clients', '-n', namespace]);
      await eventually('SecretNotFound', () =>
        controlPlane
          .diagnostics()
          .find(({ object, reason }) => object?.namespace === namespace && reason === 'SecretNotFound'),
      );
      assert.equal(await connect(t, port, { password: 'second' }).ping(), 'PONG');
    },
  );

  await t.test('an Envoy that names no namespace gets nothing', async (t) => {
    const { namespace, port } = await place(t);
    await kube.apply(documents(redisService(namespace, 'cache')));
    await eventually('an answer', () => connect(t, port).ping());
    const stray = await connectEnvoy(t, { envoy, xdsAddress, nodeId: 'stray' });
    assert.equal(await stray.admin('/listeners'), '');
    assert.ok(controlPlane.lines.some((line) => line.includes('stray names no namespace')));
  });

  await t.test('a proxy follows them by itself, as a client of its namespace', async (t) => {
    const namespace = await kube.newNamespace();
    const [port = 0, foreignPort = 0] = await freePorts(2);
    const proxy = await startKubeProxy(t, kube, namespace);
    await eventually('everything listed', () => (proxy.waitingFor() === undefined ? true : undefined));
    await kube.apply(clusterHost(namespace, 'cache', port, seeds));
    await kube.apply(documents(secret(namespace, 'clients', { password: 'first' })));
    const settings = { auth: { secret: { name: 'clients' } }, readPolicy: 'REPLICA' };
    await kube.apply(documents(redisService(namespace, 'cache', { settings })));
    const through = connect(t, port, { password: 'first', maxRetriesPerRequest: 20 });
    await eventually('an answer', () => through.ping());

    await kube.apply(documents(secret(namespace, 'clients', { password: 'second' })));
    await eventually('the second password', () => connect(t, port, { password: 'second' }).ping());
    assert.equal(await through.get('nothing'), null, 'who was let in stays');

    // Of another namespace, and for that one only.
    const other = await kube.newNamespace();
    await kube.apply(clusterHost(other, 'cache', foreignPort, seeds));
    const exported = redisService(other, 'cache') as { readonly metadata: object };
    const annotations = { 'redpilot.dev/export-to': '.' };
    await kube.apply(documents({ ...exported, metadata: { ...exported.metadata, annotations } }));
    // Changed afterwards, so what came before has been looked at.
    await kube.kubectl(['delete', 'rsvc', 'cache', '-n', namespace]);
    await eventually('no listener', async () =>
      (await answerOf(connect(t, port).ping())) === 'PONG' ? undefined : true,
    );
    assert.notEqual(await answerOf(connect(t, foreignPort).ping()), 'PONG');
    assert.deepEqual(
      proxy.lines.filter((line) => /\b403\b|RBAC/.test(line)),
      [],
    );
  });

  await t.test(
    'the API server killed and back: everything is served on, and what comes after is followed',
    async (t) => {
      const { namespace, port } = await place(t);
      await kube.apply(documents(redisService(namespace, 'cache')));
      await eventually('an answer', () => connect(t, port).ping());
      await kube.stopApi();
      await eventually('it is said', () =>
        controlPlane.lines.find((line) => line.includes("can't be followed")),
      );
      const metrics = await (await fetch(`http://${controlPlane.adminAddress}/metrics`)).text();
      assert.match(metrics, /redpilot_kubernetes_up\{kind="RedisService"\} 0/);
      const ready = await fetch(`http://${controlPlane.adminAddress}/readyz`);
      assert.equal(ready.status, 200);
      assert.equal(await connect(t, port).ping(), 'PONG');

      await kube.startApi();
      const [other = 0] = await freePorts(1);
      await kube.apply(clusterHost(namespace, 'late', other, seeds));
      await kube.apply(documents(redisService(namespace, 'late')));
      await eventually('what came after', () => connect(t, other).ping());
      assert.equal(await connect(t, port).ping(), 'PONG');
    },
  );
});
