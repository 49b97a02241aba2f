import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';

import { parseAllDocuments } from 'yaml';

import { eventually as within } from '../../src/demo/eventually.ts';
import { KubeCluster } from './kube-cluster.ts';
import { startKubeControlPlane } from './kube-control-plane.ts';
import { destination, documents, redisService, secret, service } from './kube-objects.ts';

const eventually = <T>(what: string, look: () => Promise<T | undefined>, seen: () => string): Promise<T> =>
  within(what, look, { deadlineMs: 60_000, everyMs: 200, seen });

const RBAC = new URL('../../manifests/control-plane/rbac.yaml', import.meta.url);
const CONTROLLER = 'system:serviceaccount:redpilot:redpilot';

/** Asked for by the API server where a server-side apply makes the object; in the audit log it is a patch. */
const ASKED_WITH_PATCH = 'create /configmaps';

test('two control planes side by side: one of a namespace, with rights there only, and one of a label', async (t) => {
  const kube = await KubeCluster.start(t, { crds: false });
  if (kube === undefined) return;
  await kube.installControlPlane();
  await kube.kubectl(['delete', 'clusterrolebinding', 'redpilot']);
  const [own, other] = [await kube.newNamespace('own'), await kube.newNamespace('other')];
  const folder = fileURLToPath(new URL('../../manifests/namespaced', import.meta.url));
  for (const namespace of [own, other]) await kube.kubectl(['apply', '-n', namespace, '-k', folder]);
  const first = await startKubeControlPlane(t, kube, { namespaces: [own] });
  const second = await startKubeControlPlane(t, kube, {
    namespaces: [own, other],
    selector: 'for=second',
    replica: { namespace: 'redpilot', identity: 'second' },
  });
  const labelled = redisService(own, 'labelled') as { readonly metadata: object };
  await kube.apply(
    documents(
      redisService(own, 'plain'),
      { ...labelled, metadata: { ...labelled.metadata, labels: { for: 'second' } } },
      redisService(other, 'plain'),
    ),
  );
  const namesAt = (controlPlane: typeof first): string =>
    [
      ...new Set(
        controlPlane
          .diagnostics()
          .flatMap(({ object }) => (object === undefined ? [] : `${object.namespace}/${object.name}`)),
      ),
    ]
      .toSorted()
      .join();
  await eventually(
    'each has its own',
    async () =>
      namesAt(first) === `${own}/labelled,${own}/plain` && namesAt(second) === `${own}/labelled`
        ? true
        : undefined,
    () => `${namesAt(first)} and ${namesAt(second)}`,
  );
});

interface Rules {
  readonly rules?: readonly {
    readonly apiGroups: readonly string[];
    readonly resources: readonly string[];
    readonly verbs: readonly string[];
  }[];
}

test('with the rights of the manifests everything works, and none of them is too much', async (t) => {
  const kube = await KubeCluster.start(t, { crds: false, audit: true });
  if (kube === undefined) return;
  await kube.installControlPlane();
  const controlPlane = await startKubeControlPlane(t, kube);
  const namespace = await kube.newNamespace();
  const auth = { secret: { name: 'redis' } };
  await kube.apply(
    documents(
      service(namespace, 'cache', 6379),
      secret(namespace, 'redis', { password: 'word' }),
      destination(namespace, 'cache', { mode: 'CLUSTER', discoveryEndpoints: ['127.0.0.1:1'], auth }),
      redisService(namespace, 'cache', { settings: { auth } }),
      // Told by an event.
      redisService(namespace, 'not-there'),
    ),
  );

  const documented = parseAllDocuments(await readFile(RBAC, 'utf8')).map(
    (document) => document.toJS() as Rules,
  );
  const granted = documented.flatMap(({ rules = [] }) =>
    rules.flatMap(({ apiGroups, resources, verbs }) =>
      resources.flatMap((resource) => verbs.map((verb) => `${verb} ${apiGroups[0]}/${resource}`)),
    ),
  );
  let unused: readonly string[] = [];
  const done = async (): Promise<readonly string[]> => [...(await kube.doneBy(CONTROLLER))];
  const used = async (): Promise<ReadonlySet<string>> =>
    new Set((await done()).map((what) => what.replace(/ \d+$/, '')));
  const closing = eventually(
    'everything that is granted, but for what comes at the end',
    async () => {
      const all = await used();
      unused = granted.filter((right) => right !== ASKED_WITH_PATCH && !all.has(right));
      return unused.every((right) => right === 'delete /configmaps') ? true : undefined;
    },
    () => unused.join(', '),
  );
  await closing;
  await controlPlane.close();
  assert.ok((await used()).has('delete /configmaps'));

  const forbidden = (await done()).filter((what) => what.endsWith(' 403'));
  assert.deepEqual(forbidden, []);
  const beyond = [...(await used())].filter((right) => !granted.includes(right));
  assert.deepEqual(beyond, []);
});
