/**
 * EnvoyFilters in a cluster: written, kept, removed, and never somebody else's.
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { parseAllDocuments } from 'yaml';

import type { MeshSettings } from '../../src/commands/keep-mesh.ts';
import { ISTIO_DEFAULTS } from '../../src/istio/envoy-filters.ts';
import type { Condition } from '../../src/status/conditions.ts';
import { KubeCluster } from './kube-cluster.ts';
import { startKubeControlPlane, type ObservedControlPlane } from './kube-control-plane.ts';
import { eventually, governing, PATHS, viewOfMesh, type Filter } from './kube-mesh.ts';
import { redisService, secret, service } from './kube-objects.ts';
import { startTroubledWire } from './troubled-wire.ts';

interface Role {
  readonly rules?: readonly { readonly resources: readonly string[]; readonly verbs: readonly string[] }[];
}

test('EnvoyFilters follow the objects', async (t) => {
  const kube = await KubeCluster.start(t, { audit: true });
  if (kube === undefined) return;
  await kube.installControlPlane('istio');
  const [shop, private_] = [await kube.newNamespace('shop'), await kube.newNamespace('private')];
  const settings: MeshSettings = { ...ISTIO_DEFAULTS, allowedNamespaces: [shop], drainMs: 1_000 };
  const wire = await startTroubledWire(t, kube.port);
  const start = (identity: string): Promise<ObservedControlPlane> =>
    startKubeControlPlane(t, kube, {
      istio: settings,
      replica: { namespace: 'redpilot', identity },
      server: wire.https,
      secretsIntervalMs: 500,
    });
  let leader = await start('first');

  const { ask, remove, filter, filtersIn, written, condition } = viewOfMesh(kube, () =>
    leader.lines.slice(-15).join(''),
  );
  const programmed = (namespace: string, reason: string): Promise<Condition> =>
    condition(namespace, 'Programmed', reason);
  /** With its Service. */
  const place = async (object: (namespace: string) => object = governing): Promise<string> => {
    const namespace = await kube.newNamespace('mesh');
    await kube.put(service(namespace, 'cache', 6379), object(namespace));
    return namespace;
  };

  await t.test('without the definitions of Istio it is said, and the rest goes on', async () => {
    const namespace = await place();
    const { message } = await programmed(namespace, 'Pending');
    assert.match(message, /EnvoyFilters are not known to the API server; install Istio/);
    assert.ok(leader.lines.some((line) => line.includes('serviceentries are not known to the API server')));
    await kube.installIstioCrds();
    await written(namespace);
  });

  await t.test('one is written, with its owner, and the status says so and no more', async () => {
    const namespace = await place();
    const { metadata } = await written(namespace);
    const owner = await ask<Filter>('redisservices', namespace, 'cache');
    assert.equal(metadata.ownerReferences?.[0]?.uid, owner?.metadata.uid);
    assert.equal(metadata.labels?.['app.kubernetes.io/managed-by'], 'redpilot');
    const { status, message } = await programmed(namespace, 'WrittenToIstio');
    assert.equal(status, 'Unknown');
    assert.match(message, new RegExp(`EnvoyFilter ${namespace}/redpilot-cache; .* not visible`));
  });

  await t.test('it follows a change, and stays as it is as long as nothing changes', async () => {
    const namespace = await place();
    const before = await written(namespace);
    await kube.put(governing(namespace, { opTimeout: '7s' }));
    const after = await written(namespace, '"7s"');
    assert.equal(after.metadata.uid, before.metadata.uid);
    // Another object's change passes through all of it.
    await written(await place());
    await kube.put(governing(namespace, { opTimeout: '7s' }, { 'zone-affinity': 'false' }));
    await written(await place());
    assert.equal((await filter(namespace))?.metadata.resourceVersion, after.metadata.resourceVersion);
  });

  await t.test('an edit by hand is undone, and what was removed comes back', async () => {
    const namespace = await place();
    await written(namespace);
    await kube.request(`${PATHS.envoyfilters}/namespaces/${namespace}/envoyfilters/redpilot-cache`, {
      method: 'PATCH',
      contentType: 'application/merge-patch+json',
      body: { spec: { configPatches: [] } },
    });
    const { metadata } = await written(namespace, 'cache.');
    await remove('envoyfilters', namespace, 'redpilot-cache');
    await eventually('another', async () => {
      const found = await filter(namespace);
      return found !== undefined && found.metadata.uid !== metadata.uid ? true : undefined;
    });
  });

  await t.test('another one of that name is not touched; the object says so until it is gone', async () => {
    const ours = { 'app.kubernetes.io/managed-by': 'redpilot', 'redpilot.dev/control-plane': 'redpilot' };
    const others = await Promise.all(
      Object.entries({
        "somebody's": {},
        'a copy of one of ours': ours,
        "another control plane's": { ...ours, 'redpilot.dev/control-plane': 'other' },
      }).map(async ([whose, labels]) => ({ whose, labels, namespace: await kube.newNamespace('mesh') })),
    );
    const foreign = others.map(({ namespace, labels }) => ({
      apiVersion: 'networking.istio.io/v1alpha3',
      kind: 'EnvoyFilter',
      metadata: { name: 'redpilot-cache', namespace, labels },
      spec: { configPatches: [] },
    }));
    const objects = others.map(({ namespace }) => governing(namespace));
    await kube.put(...foreign, ...others.map(({ namespace }) => service(namespace, 'cache', 6379)));
    const before = await Promise.all(others.map(({ namespace }) => filter(namespace)));
    const unchanged = async (): Promise<void> => {
      for (const [at, { namespace, whose }] of others.entries())
        assert.deepEqual(await filter(namespace), before[at], whose);
    };
    await kube.put(...objects);
    for (const { namespace } of others) {
      const { status, message } = await programmed(namespace, 'EnvoyFilterConflict');
      assert.equal(status, 'False');
      assert.match(message, new RegExp(`an EnvoyFilter ${namespace}/redpilot-cache .*; delete or rename it`));
    }
    await unchanged();
    const [first] = others;
    await remove('redisservices', first?.namespace ?? '');
    await written(await place());
    await unchanged();
    const [, copied] = others;
    await remove('envoyfilters', copied?.namespace ?? '', 'redpilot-cache');
    await written(copied?.namespace ?? '', 'cache.');
  });

  await t.test('with the object it goes; what others have stays', async () => {
    const [namespace, other] = [await place(), await place()];
    await written(namespace);
    const { metadata } = await written(other);
    await remove('redisservices', namespace);
    await eventually('it is gone', async () => ((await filter(namespace)) === undefined ? true : undefined));
    assert.equal((await filter(other))?.metadata.resourceVersion, metadata.resourceVersion);
  });

  await t.test(
    'other namespaces get one where the administrator allows it, as long as it is asked for',
    async () => {
      const asking = (namespace: string): object =>
        governing(namespace, {}, { 'istio-namespaces': `${shop},${private_}` });
      const namespace = await place(asking);
      await written(namespace);
      const inShop = await eventually('one for the shop', async () => {
        const [name] = await filtersIn(shop);
        return name;
      });
      assert.deepEqual(await filtersIn(private_), []);
      const refused = leader.diagnostics().filter(({ object }) => object?.namespace === namespace);
      assert.ok(
        refused.some(({ message }) => message.includes(private_)),
        JSON.stringify(refused),
      );
      // Deleted here and made anew there: nothing is left of the first.
      const moved = await kube.newNamespace('mesh');
      await remove('redisservices', namespace);
      await kube.put(service(moved, 'cache', 6379), asking(moved));
      await eventually('only the new one', async () => {
        const names = await filtersIn(shop);
        return names.length === 1 && names[0] !== inShop && (await filter(namespace)) === undefined
          ? true
          : undefined;
      });
      await kube.put(governing(moved));
      await eventually('none', async () => ((await filtersIn(shop)).length === 0 ? true : undefined));
      await written(moved);
    },
  );

  await t.test('what can not be carried out any more keeps what it had', async () => {
    const namespace = await place();
    await programmed(namespace, 'WrittenToIstio');
    const { metadata } = await written(namespace);
    const before = await ask<{ readonly spec: { readonly clusterIP: string } }>(
      'services',
      namespace,
      'cache',
    );
    await remove('services', namespace);
    await programmed(namespace, 'LastGoodKept');
    await written(await place());
    assert.equal((await filter(namespace))?.metadata.resourceVersion, metadata.resourceVersion);
    // Until the cluster gives its address to another.
    const other = service(namespace, 'other', 6379) as { readonly spec: object };
    await kube.put({ ...other, spec: { ...other.spec, clusterIP: before?.spec.clusterIP } });
    await eventually('it is gone', async () => ((await filter(namespace)) === undefined ? true : undefined));
  });

  await t.test(
    'a host of a ServiceEntry is governed at its address, also one that Istio gives it later',
    async () => {
      const namespace = await kube.newNamespace('mesh');
      const host = 'cache.example.com';
      const entry = {
        apiVersion: 'networking.istio.io/v1',
        kind: 'ServiceEntry',
        metadata: { name: 'cache', namespace },
        spec: {
          hosts: [host],
          resolution: 'DNS',
          ports: [{ name: 'tcp-redis', number: 7000, protocol: 'TCP' }],
        },
      };
      const object = redisService(namespace, 'cache', { host: [host], redis: [{ route: { host } }] });
      await kube.put(entry, object);
      const { message } = await programmed(namespace, 'UnsupportedByIstio');
      assert.match(message, /the ServiceEntry of cache\.example\.com has no address/);
      await kube.request(`/apis/networking.istio.io/v1/namespaces/${namespace}/serviceentries/cache/status`, {
        method: 'PATCH',
        contentType: 'application/merge-patch+json',
        body: { status: { addresses: [{ value: '240.240.0.7', host }] } },
      });
      await written(namespace, '"240.240.0.7_7000"');
      await programmed(namespace, 'WrittenToIstio');
    },
  );

  await t.test('a password that may not be in an EnvoyFilter closes it, and is nowhere', async () => {
    const auth = { secret: { name: 'clients' } };
    const namespace = await kube.newNamespace('mesh');
    await kube.put(
      service(namespace, 'cache', 6379),
      secret(namespace, 'clients', { password: 'never-shown' }),
      governing(namespace, { auth }),
    );
    const { spec } = await written(namespace, 'downstream_auth_username');
    assert.doesNotMatch(JSON.stringify(spec), /never-shown|downstream_auth_password/);
    const { status, message } = await condition(namespace, 'ResolvedRefs', 'SecretNotAllowed');
    assert.equal(status, 'False');
    assert.match(message, /redpilot\.dev\/istio-secrets/);
    await kube.put(governing(namespace, { auth }, { 'istio-secrets': 'inline' }));
    await written(namespace, 'never-shown');
    await kube.put(secret(namespace, 'clients', { password: 'never-shown-either' }));
    const rotated = await written(namespace, 'never-shown-either');
    // Emptied, it leaves the last one in force: nothing opens.
    await kube.put(secret(namespace, 'clients', { password: '' }));
    await condition(namespace, 'ResolvedRefs', 'SecretFieldMissing');
    await written(await place());
    assert.equal((await filter(namespace))?.metadata.resourceVersion, rotated.metadata.resourceVersion);
    assert.doesNotMatch(leader.lines.join(''), /never-shown/);
  });

  for (const manifests of ['istio-sidecar', 'istio-shared', 'istio-ambient']) {
    await t.test(`manifests/${manifests} are taken`, async () => {
      const folder = fileURLToPath(new URL(`../../manifests/${manifests}`, import.meta.url));
      const { status, stderr } = await kube.kubectl(['apply', '-k', folder]);
      assert.equal(status, 0, stderr);
    });
  }

  await t.test('its rights are those that it uses', async () => {
    const text = await readFile(new URL('../../manifests/istio/rbac.yaml', import.meta.url), 'utf8');
    const [role] = parseAllDocuments(text).map((document) => document.toJS() as Role);
    const { rules = [] } = role ?? {};
    const granted = rules.flatMap(({ resources, verbs }) =>
      resources.flatMap((resource) => verbs.map((verb) => `${verb} networking.istio.io/${resource}`)),
    );
    const done = await kube.doneBy('system:serviceaccount:redpilot:redpilot');
    assert.deepEqual(
      [...done].filter((what) => what.endsWith(' 403')),
      [],
    );
    const used = new Set([...done].map((what) => what.replace(/ \d+$/, '')));
    // Asked for where a server-side apply makes the object; in the audit log it is a patch.
    const unused = granted.filter(
      (right) => !used.has(right) && right !== 'create networking.istio.io/envoyfilters',
    );
    assert.deepEqual(unused, []);
    const beyond = [...used].filter((what) => what.includes('istio') && !granted.includes(what));
    assert.deepEqual(beyond, []);
  });

  await t.test('the API server away: nothing is taken away, and what changed is caught up with', async () => {
    const [changed, gone] = [await place(), await place()];
    const before = await written(changed);
    await written(gone);
    wire.break();
    await eventually('it is noticed', () =>
      leader.lines.some((line) => line.includes("EnvoyFilters can't be followed")) ? true : undefined,
    );
    await kube.put(governing(changed, { opTimeout: '8s' }));
    await remove('redisservices', gone);
    assert.equal((await filter(changed))?.metadata.resourceVersion, before.metadata.resourceVersion);
    wire.mend();
    const after = await written(changed, '"8s"');
    assert.equal(after.metadata.uid, before.metadata.uid);
    await eventually('it is gone', async () => ((await filter(gone)) === undefined ? true : undefined));
  });
});
