/**
 * Who writes EnvoyFilters and the status changes: the leader is killed, or comes back with other words of the
 * administrator, or with rights in single namespaces.
 */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import { startProcess, type Running } from '../../src/demo/child-process.ts';
import { ISTIO_DEFAULTS } from '../../src/istio/envoy-filters.ts';
import { CLI } from './command-line.ts';
import { KubeCluster } from './kube-cluster.ts';
import { startKubeControlPlane, type ObservedControlPlane } from './kube-control-plane.ts';
import { eventually, governing, PATHS, viewOfMesh, type Filter } from './kube-mesh.ts';
import { service } from './kube-objects.ts';

const CONTROLLER = 'system:serviceaccount:redpilot:redpilot';

test('EnvoyFilters with a leader that goes', async (t) => {
  const kube = await KubeCluster.start(t, { audit: true });
  if (kube === undefined) return;
  await kube.installControlPlane('istio');
  await kube.installIstioCrds();
  const shop = await kube.newNamespace('shop');
  let leader: ObservedControlPlane | undefined;
  const { filter, filtersIn, written, condition, remove } = viewOfMesh(kube, () =>
    (leader?.lines ?? []).slice(-15).join(''),
  );
  const asking = (namespace: string, settings: object = {}): object =>
    governing(namespace, settings, { 'istio-namespaces': shop });
  /** Its EnvoyFilters are in its own namespace and in the shop. */
  const place = async (): Promise<string> => {
    const namespace = await kube.newNamespace('mesh');
    await kube.put(service(namespace, 'cache', 6379), asking(namespace));
    return namespace;
  };
  const inShop = async (namespace: string): Promise<Filter | undefined> => {
    const path = `${PATHS.envoyfilters}/namespaces/${shop}/envoyfilters`;
    const { items } = (await kube.request(path)) as { readonly items: readonly Filter[] };
    return items.find(({ metadata }) => metadata.name === `redpilot.${namespace}.cache`);
  };
  const start = (
    allowedNamespaces: readonly string[],
    others: Parameters<typeof startKubeControlPlane>[2] = {},
  ): Promise<ObservedControlPlane> =>
    startKubeControlPlane(t, kube, {
      istio: { ...ISTIO_DEFAULTS, allowedNamespaces, drainMs: 1_000 },
      replica: { namespace: 'redpilot', identity: `replica-${performance.now()}` },
      ...others,
    });
  const leads = (lines: () => string): Promise<true> =>
    eventually(
      'it leads',
      () => (lines().includes('is held: this replica writes') ? true : undefined),
      lines,
    );

  await t.test('killed, it is followed by another, which does what has come up, once', async (t) => {
    const killed = await startProgram(t, kube, shop);
    await leads(killed.lastLines);
    const [changed, gone, same] = [await place(), await place(), await place()];
    for (const namespace of [changed, gone, same]) {
      await condition(namespace, 'Programmed', 'WrittenToIstio');
    }
    const before = await Promise.all([written(changed), written(same), inShop(same)]);
    const writes = (): Promise<number> => kube.requestsOf(CONTROLLER, 'patch', 'envoyfilters');
    const writesBefore = await writes();
    const other = await start([shop]);
    leader = other;
    killed.signal('SIGKILL');
    await killed.ended;
    await kube.put(asking(changed, { opTimeout: '7s' }));
    await remove('redisservices', gone);
    const created = await place();
    await leads(() => other.lines.join(''));
    const after = [
      await written(changed, '"7s"'),
      await written(created),
      await eventually('its own in the shop', () => inShop(created)),
    ];
    assert.equal(after[0]?.metadata.uid, before[0].metadata.uid);
    await eventually('no orphan', async () =>
      (await filter(gone)) === undefined && (await inShop(gone)) === undefined ? true : undefined,
    );
    await condition(created, 'Programmed', 'WrittenToIstio');
    // Another object's change passes through all of it.
    const last = await place();
    await written(last);
    await eventually('that of the last in the shop', () => inShop(last));
    const [, unchanged, unchangedInShop] = before;
    assert.deepEqual(await filter(same), unchanged);
    assert.deepEqual(await inShop(same), unchangedInShop);
    assert.deepEqual(await Promise.all([filter(changed), filter(created), inShop(created)]), after);
    // In two namespaces each: what has changed, what was created, the last, and of what is gone that it is drained.
    assert.equal((await writes()) - writesBefore, 8);
  });

  await t.test('what another administrator does not allow any more goes, and nothing else', async () => {
    const namespace = await place();
    const before = await written(namespace);
    await eventually('one in the shop', () => inShop(namespace));
    await leader?.close();
    leader = await start([]);
    await eventually('none in the shop', async () =>
      (await filtersIn(shop)).length === 0 ? true : undefined,
    );
    assert.equal((await filter(namespace))?.metadata.resourceVersion, before.metadata.resourceVersion);
  });

  await t.test('so it is where rights are those of single namespaces, as far as they reach', async () => {
    await leader?.close();
    for (const name of ['redpilot', 'redpilot-istio'])
      await kube.request(`/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/${name}`, {
        method: 'DELETE',
      });
    const grant = async (namespace: string, manifests: string): Promise<void> => {
      const folder = new URL(`../../manifests/${manifests}`, import.meta.url).pathname;
      const { status, stderr } = await kube.kubectl(['apply', '-n', namespace, '-k', folder]);
      assert.equal(status, 0, stderr);
    };
    const own = await place();
    await grant(own, 'namespaced');
    for (const namespace of [own, shop]) await grant(namespace, 'istio-namespaced');
    const foreign = {
      apiVersion: 'networking.istio.io/v1alpha3',
      kind: 'EnvoyFilter',
      metadata: { name: 'foreign', namespace: shop, labels: { 'app.kubernetes.io/managed-by': 'redpilot' } },
      spec: { configPatches: [] },
    };
    await kube.put(foreign);
    const only = { namespaces: [own] };
    leader = await start([shop], only);
    const { metadata } = await written(own);
    await eventually('one in the shop', () => inShop(own));
    await condition(own, 'Programmed', 'WrittenToIstio');
    // What earlier ones wrote elsewhere is out of reach, and told of.
    const refused = leader.lines.filter(
      (line) => line.includes('forbid') && !line.includes('EnvoyFiltersLeft'),
    );
    assert.deepEqual(refused, []);
    await leader.close();
    leader = await start([], only);
    await eventually('only the foreign one', async () =>
      (await filtersIn(shop)).join() === 'foreign' ? true : undefined,
    );
    assert.equal((await filter(own))?.metadata.resourceVersion, metadata.resourceVersion);
    await leader.close();

    leader = await start([shop], only);
    await eventually('one in the shop again', () => inShop(own));
    await leader.close();
    const binding = `/apis/rbac.authorization.k8s.io/v1/namespaces/${shop}/rolebindings/redpilot-istio`;
    await kube.request(binding, { method: 'DELETE' });
    leader = await start([], only);
    // Others, of which an earlier leader with other rights has written, are told of too.
    const told = (): string | undefined =>
      leader
        ?.diagnostics()
        .find(({ reason, message }) => reason === 'EnvoyFiltersLeft' && message.includes(` ${shop}, `))
        ?.message;
    const message = await eventually('it is told', told);
    const command = /kubectl (delete envoyfilters -n \S+ -l \S+) and then/.exec(message)?.[1] ?? '';
    const { stdout } = await kube.kubectl([...command.split(' '), '--dry-run=server']);
    assert.match(stdout, new RegExp(`^\\S+ "redpilot.${own}.cache" deleted[^\\n]*\\n$`));
    assert.notEqual(await inShop(own), undefined);
    await grant(shop, 'istio-namespaced');
    await eventually('it goes', async () => ((await inShop(own)) === undefined ? true : undefined));
    await eventually('nothing to tell', () => (told() === undefined ? true : undefined));
    assert.deepEqual(await filtersIn(shop), ['foreign']);
  });
});

/** The program itself, as a process that can be killed. Stopped when the test ends. */
async function startProgram(t: TestContext, kube: KubeCluster, allowed: string): Promise<Running> {
  process.env['KUBECONFIG'] = await kube.kubeconfig('controller');
  const addresses = ['--xds-address', '127.0.0.1:0', '--admin-address', '127.0.0.1:0'];
  const args = ['serve', '--kubernetes', '--istio', '--istio-namespaces', allowed, ...addresses];
  const running = await startProcess(process.execPath, [CLI, ...args]);
  delete process.env['KUBECONFIG'];
  t.after(() => running.stop());
  return running;
}
