import assert from 'node:assert/strict';
import { BlockList } from 'node:net';
import { test } from 'node:test';

import { eventually as within } from '../../src/demo/eventually.ts';
import { ENDPOINTS_TYPE, LISTENER_TYPE } from '../../src/envoy/resource.ts';
import { startKubeControlPlane } from './kube-control-plane.ts';
import { destination, documents, redisService } from './kube-objects.ts';
import { startKube } from './kube-setting.ts';
import { resourcesFor } from './served.ts';

const eventually = <T>(what: string, look: () => Promise<T | undefined>, seen: () => string): Promise<T> =>
  within(what, look, { deadlineMs: 60_000, everyMs: 100, seen });

/** The host of every test is in this one. */
const OWNER = 'shop';

/** Who governs the clients of a namespace shows by the time limit of the commands. */
function claim(
  namespace: string,
  opTimeout: string,
  annotations: Readonly<Record<string, string>> = {},
): object {
  const host = `cache.${OWNER}`;
  const object = redisService(namespace, 'claim', {
    host: [host],
    settings: { opTimeout },
    redis: [{ route: { host } }],
  });
  return { ...object, metadata: { name: 'claim', namespace, annotations } };
}

const EXPORT = 'redpilot.dev/export-to';

const MATRIX: readonly (readonly [
  what: string,
  objects: readonly object[],
  governs: Readonly<Record<string, string>>,
])[] = [
  [
    "the host's own namespace governs clients everywhere",
    [claim(OWNER, '1s')],
    { shop: '1s', web: '1s', other: '1s' },
  ],
  [
    'an object of the clients own namespace wins there, and nowhere else',
    [claim(OWNER, '1s'), claim('web', '2s')],
    { shop: '1s', web: '2s', other: '1s' },
  ],
  ['an object of another namespace alone governs its own clients only', [claim('web', '2s')], { web: '2s' }],
  ['export-to . keeps it in its own namespace', [claim(OWNER, '1s', { [EXPORT]: '.' })], { shop: '1s' }],
  [
    'export-to a namespace reaches that one',
    [claim(OWNER, '1s', { [EXPORT]: '., web' })],
    { shop: '1s', web: '1s' },
  ],
  [
    'export-to can not force itself on a namespace that has its own',
    [claim(OWNER, '1s', { [EXPORT]: 'web' }), claim('web', '2s')],
    { web: '2s' },
  ],
];

test('who governs whom, and which endpoints are followed', async (t) => {
  const kube = await startKube(t);
  if (kube === undefined) return;
  const { xdsAddress } = await startKubeControlPlane(t, kube);
  const namespaces = [OWNER, 'web', 'other'];
  for (const name of namespaces) await kube.kubectl(['create', 'namespace', name]);
  const host = { clusterIP: 'None', ports: [{ name: 'redis', port: 6379 }] };
  const service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'cache', namespace: OWNER },
    spec: host,
  };
  await kube.apply(documents(service, destination(OWNER, 'cache', { mode: 'PROXY' })));

  for (const [what, objects, governs] of MATRIX) {
    await t.test(what, async () => {
      await kube.apply(documents(...objects));
      let seen: Readonly<Record<string, string>> = {};
      await eventually(
        JSON.stringify(governs),
        async () => {
          const all = await Promise.all(
            namespaces.map(async (namespace) => {
              const listeners = await resourcesFor(xdsAddress, namespace, LISTENER_TYPE);
              const timeout = /"op_timeout":"(\w+)"/.exec(JSON.stringify(listeners))?.[1];
              return timeout === undefined ? [] : [[namespace, timeout] as const];
            }),
          );
          seen = Object.fromEntries(all.flat());
          try {
            assert.deepEqual(seen, governs);
            return true;
          } catch {
            return undefined;
          }
        },
        () => JSON.stringify(seen),
      );
      for (const namespace of namespaces)
        await kube.kubectl(['delete', 'rsvc', 'claim', '-n', namespace, '--ignore-not-found']);
    });
  }

  await t.test(
    '--default-export-to and --allow-bind hold for objects that say nothing and that ask',
    async (t) => {
      const allowBind = new BlockList();
      allowBind.addSubnet('10.0.0.0', 8, 'ipv4');
      const strict = await startKubeControlPlane(t, kube, { allowBind, defaultExportTo: ['.'] });
      await kube.apply(documents(claim(OWNER, '1s', { 'redpilot.dev/listen': '10.1.2.3:6379' })));
      const listenersFor = async (address: string, namespace: string): Promise<string> =>
        JSON.stringify(await resourcesFor(address, namespace, LISTENER_TYPE));
      let seen = '';
      await eventually(
        'a listener in its own namespace, on the address that it asks for',
        async () => {
          seen = await listenersFor(strict.xdsAddress, OWNER);
          return seen.includes('10.1.2.3') ? true : undefined;
        },
        () => seen,
      );
      assert.equal(await listenersFor(strict.xdsAddress, 'web'), '[]');
      // Where neither was said: everybody would get it, and nobody does, since it asks for too much.
      assert.equal(await listenersFor(xdsAddress, OWNER), '[]');
      await kube.kubectl(['delete', 'rsvc', 'claim', '-n', OWNER]);
    },
  );

  await t.test('endpoints that come, go, and are all replaced at once', async () => {
    await kube.apply(documents(claim(OWNER, '1s')));
    const slice = (...addresses: readonly string[]): object => ({
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name: 'cache-1', namespace: OWNER, labels: { 'kubernetes.io/service-name': 'cache' } },
      addressType: 'IPv4',
      ports: [{ name: 'redis', port: 6379 }],
      endpoints: addresses.map((address, index) => ({
        addresses: [address],
        targetRef: { kind: 'Pod', name: `cache-${index}` },
      })),
    });
    for (const addresses of [
      ['192.0.2.1'],
      ['192.0.2.1', '192.0.2.2'],
      ['192.0.2.2'],
      ['192.0.2.7', '192.0.2.8'],
    ]) {
      await kube.apply(documents(slice(...addresses)));
      let seen: readonly string[] = [];
      await eventually(
        addresses.join(),
        async () => {
          const text = JSON.stringify(await resourcesFor(xdsAddress, 'web', ENDPOINTS_TYPE));
          seen = Array.from(text.matchAll(/192\.0\.2\.\d/g), ([address]) => address).toSorted();
          return seen.join() === addresses.join() ? true : undefined;
        },
        () => seen.join(),
      );
    }
  });
});
