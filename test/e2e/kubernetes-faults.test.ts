import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { eventually as within } from '../../src/demo/eventually.ts';
import { allowFor } from './busy-machine.ts';
import { startFailingRelay } from './failing-relay.ts';
import { startKubeControlPlane, type ObservedControlPlane } from './kube-control-plane.ts';
import { documents, redisService } from './kube-objects.ts';
import { startKube } from './kube-setting.ts';
import { startTroubledWire } from './troubled-wire.ts';

/** Of RedisServices, RedisDestinations, Services, EndpointSlices. */
const WATCHES = 4;

const eventually = <T>(what: string, look: () => Promise<T | undefined> | T | undefined): Promise<T> =>
  within(what, look, { deadlineMs: 90_000, everyMs: 100 });

test('troubles between the control plane and the API server', async (t) => {
  // Without its cache it forgets what etcd does, and tells it by 410.
  const kube = await startKube(t, { flags: ['--watch-cache=false'] });
  if (kube === undefined) return;

  /** An object that can not be carried out shows by its Diagnostic that it has arrived. */
  const applyAndSee = async (controlPlane: ObservedControlPlane): Promise<number> => {
    const namespace = await kube.newNamespace();
    await kube.apply(documents(redisService(namespace, 'cache')));
    const applied = performance.now();
    await eventually('the object', () =>
      controlPlane.diagnostics().find(({ object }) => object?.namespace === namespace),
    );
    return performance.now() - applied;
  };

  // Each has a wire and a control plane of its own.
  await Promise.all([
    t.test('connections that are cut: nothing is missed', async (t) => {
      const wire = await startTroubledWire(t, kube.port);
      const controlPlane = await startKubeControlPlane(t, kube, { server: wire.https });
      await applyAndSee(controlPlane);
      wire.cut();
      await applyAndSee(controlPlane);
      wire.cut();
      wire.cut();
      await applyAndSee(controlPlane);
    }),
    t.test('connections that go silent are noticed, and what came meanwhile arrives', async (t) => {
      const wire = await startTroubledWire(t, kube.port);
      const controlPlane = await startKubeControlPlane(t, kube, { server: wire.https, silenceMs: 3_000 });
      await applyAndSee(controlPlane);
      wire.silence();
      await applyAndSee(controlPlane);
    }),
    t.test('an event on watches that were silent for a while is seen at once', async (t) => {
      const wire = await startTroubledWire(t, kube.port);
      const controlPlane = await startKubeControlPlane(t, kube, { server: wire.https });
      const opened = wire.opened();
      await sleep(10_000);
      const ms = await applyAndSee(controlPlane);
      const limitMs = allowFor(1_000);
      assert.ok(ms < limitMs, `${ms} ms, of ${limitMs} ms as busy as the machine is`);
      // The same watches: none was begun anew meanwhile.
      assert.ok(wire.stillOpen(opened) >= WATCHES, `${wire.stillOpen(opened)} of ${opened} connections`);
    }),
  ]);

  await t.test('a server that answers 500 for a while: nothing is forgotten, nothing missed', async (t) => {
    const relay = await startFailingRelay(t, kube);
    const controlPlane = await startKubeControlPlane(t, kube, { server: relay.http });
    const namespaces = [await kube.newNamespace(), await kube.newNamespace()];
    const [known, gone] = namespaces.map(
      (namespace) => (): boolean =>
        controlPlane.diagnostics().some(({ object }) => object?.namespace === namespace),
    );
    for (const namespace of namespaces) await kube.apply(documents(redisService(namespace, 'cache')));
    await eventually('the objects', () => (known?.() === true && gone?.() === true ? true : undefined));
    relay.fail(true);
    await eventually('every kind is asked for again and again', () =>
      relay.failed() > 3 * WATCHES ? true : undefined,
    );
    await kube.kubectl(['delete', 'rsvc', 'cache', '-n', namespaces[1] ?? '']);
    assert.deepEqual([known?.(), gone?.()], [true, true]);
    const metrics = await (await fetch(`http://${controlPlane.adminAddress}/metrics`)).text();
    assert.match(metrics, /redpilot_kubernetes_up\{kind="RedisService"\} 0/);
    relay.fail(false);
    await applyAndSee(controlPlane);
    await eventually('what was deleted meanwhile is gone', () => (gone?.() === false ? true : undefined));
    assert.equal(known?.(), true);
  });

  await t.test(
    'a version that is kept no longer (410): all is listed anew, and nothing missed',
    async (t) => {
      const wire = await startTroubledWire(t, kube.port);
      const controlPlane = await startKubeControlPlane(t, kube, { server: wire.https });
      const namespace = await kube.newNamespace();
      const isKnown = (name: string): boolean =>
        controlPlane
          .diagnostics()
          .some(({ object }) => object?.namespace === namespace && object.name === name);
      await kube.apply(documents(redisService(namespace, 'gone'), redisService(namespace, 'stays')));
      await eventually('the objects', () => (isKnown('gone') && isKnown('stays') ? true : undefined));
      const services = '/apis/redis.aeraki.io/v1alpha1/redisservices';
      const { metadata } = (await kube.request(services)) as {
        readonly metadata: { readonly resourceVersion: string };
      };
      wire.break();
      await kube.kubectl(['delete', 'rsvc', 'gone', '-n', namespace]);
      for (const name of ['one', 'two']) await kube.apply(documents(redisService(namespace, name)));
      await kube.compact();
      const query = { watch: 'true', resourceVersion: metadata.resourceVersion };
      assert.match(JSON.stringify(await kube.request(services, { query })), /"code":410/);
      wire.mend();
      await eventually('the list', () => (isKnown('two') && !isKnown('gone') ? true : undefined));
      assert.ok(isKnown('stays') && isKnown('one'));
    },
  );

  await t.test(
    'rights that are taken away for a while: nothing is forgotten, and it goes on by itself',
    async (t) => {
      const wire = await startTroubledWire(t, kube.port);
      const controlPlane = await startKubeControlPlane(t, kube, { server: wire.https });
      const namespace = await kube.newNamespace();
      await kube.apply(documents(redisService(namespace, 'cache')));
      const isKnown = (): boolean =>
        controlPlane.diagnostics().some(({ object }) => object?.namespace === namespace);
      await eventually('the object', () => (isKnown() ? true : undefined));
      await kube.kubectl(['delete', 'clusterrolebinding', 'redpilot']);
      // A watch that is open stays so.
      wire.cut();
      await eventually('it is said', () =>
        controlPlane.lines.find((line) => line.includes('RBAC forbids to list and watch redisservices')),
      );
      assert.ok(isKnown());
      await kube.installControlPlane();
      await applyAndSee(controlPlane);
      assert.ok(isKnown());
    },
  );
});
