import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { parseAllDocuments } from 'yaml';

import { removeFolder, temporaryFolder } from '../../src/demo/child-process.ts';
import { eventually as within } from '../../src/demo/eventually.ts';
import type { KubeCluster } from './kube-cluster.ts';
import { startKubeControlPlane } from './kube-control-plane.ts';
import { destination, documents, redisService, secret, service } from './kube-objects.ts';
import { PROXY_RIGHTS, startKubeProxyCommand } from './kube-proxy.ts';
import { startKube } from './kube-setting.ts';

const eventually = <T>(what: string, look: () => Promise<T | undefined>, seen: () => string): Promise<T> =>
  within(what, look, { deadlineMs: 60_000, everyMs: 200, seen });

const RBAC = new URL('../../manifests/control-plane/rbac.yaml', import.meta.url);
const CONTROLLER = 'system:serviceaccount:redpilot:redpilot';

/** Asked for by the API server where a server-side apply makes the object; in the audit log it is a patch. */
const ASKED_WITH_PATCH = 'create /configmaps';

const CLI = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));
const CERTIFICATES = fileURLToPath(new URL('../../manifests/certificates', import.meta.url));

test('the rights of the manifests', async (t) => {
  const kube = await startKube(t, { audit: true });
  if (kube === undefined) return;
  await t.test('with them everything works, and none of them is too much', (t) => neededRights(t, kube));
  await t.test(
    'the Job makes certificates that are renewed under the same authority, with the rights of its manifest',
    (t) => certificatesJob(t, kube),
  );
  await t.test(
    'a proxy that follows the cluster itself reads with those of its manifest, and writes nothing',
    (t) => proxyRights(t, kube),
  );
  // Takes rights away, so it comes last.
  await t.test(
    'two control planes side by side: one of a namespace, with rights there only, and one of a label',
    (t) => sideBySide(t, kube),
  );
});

interface Rules {
  readonly rules?: readonly {
    readonly apiGroups: readonly string[];
    readonly resources: readonly string[];
    readonly verbs: readonly string[];
  }[];
}

/** As `KubeCluster.doneBy` words them. */
function grantedBy(manifest: string): readonly string[] {
  const documented = parseAllDocuments(manifest).map((document) => document.toJS() as Rules);
  return documented.flatMap(({ rules = [] }) =>
    rules.flatMap(({ apiGroups, resources, verbs }) =>
      resources.flatMap((resource) => verbs.map((verb) => `${verb} ${apiGroups[0]}/${resource}`)),
    ),
  );
}

async function neededRights(t: TestContext, kube: KubeCluster): Promise<void> {
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

  const granted = grantedBy(await readFile(RBAC, 'utf8'));
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
}

async function proxyRights(t: TestContext, kube: KubeCluster): Promise<void> {
  const namespace = await kube.newNamespace();
  await startKubeProxyCommand(t, kube, namespace);
  const auth = { secret: { name: 'redis' } };
  await kube.apply(
    documents(
      service(namespace, 'cache', 6379),
      secret(namespace, 'redis', { password: 'word' }),
      destination(namespace, 'cache', { mode: 'CLUSTER', discoveryEndpoints: ['127.0.0.1:1'], auth }),
      redisService(namespace, 'cache', { settings: { auth } }),
    ),
  );
  const granted = grantedBy(await readFile(PROXY_RIGHTS, 'utf8'));
  let done: readonly string[] = [];
  await eventually(
    'everything that is granted',
    async () => {
      done = [...(await kube.doneBy('system:serviceaccount:app:redis-proxy'))];
      const used = new Set(done.map((what) => what.replace(/ \d+$/, '')));
      return granted.every((right) => used.has(right)) ? true : undefined;
    },
    () => done.join(', '),
  );
  const beyond = done.filter((what) => what.endsWith(' 403') || !granted.includes(what.replace(/ \d+$/, '')));
  assert.deepEqual(beyond, []);
}

interface Job {
  readonly spec: {
    readonly template: {
      readonly spec: { readonly containers: readonly { readonly args: readonly string[] }[] };
    };
  };
}

async function certificatesJob(t: TestContext, kube: KubeCluster): Promise<void> {
  await kube.kubectl(['create', 'namespace', 'app']);
  const applied = await kube.kubectl(['apply', '-k', CERTIFICATES]);
  assert.equal(applied.status, 0, applied.stderr);
  const [job] = parseAllDocuments(await readFile(join(CERTIFICATES, 'job.yaml'), 'utf8'));
  assert.ok(job);
  const [container] = (job.toJS() as Job).spec.template.spec.containers;

  const runJob = async (): Promise<string> => {
    const folder = await temporaryFolder('certificates');
    t.after(() => removeFolder(folder));
    const args = (container?.args ?? []).map((word) => word.replace('/certificates/', `${folder}/`));
    const environment = {
      ...process.env,
      KUBECONFIG: await kube.kubeconfig('certificates'),
      POD_NAMESPACE: 'redpilot',
    };
    const { stdout } = await promisify(execFile)(process.execPath, [CLI, ...args], { env: environment });
    return stdout;
  };
  const fieldOf = async (namespace: string, name: string, field: string): Promise<string> => {
    const { stdout } = await kube.kubectl(['get', 'secret', name, '-n', namespace, '-o', 'json']);
    const { data } = JSON.parse(stdout) as { readonly data: Readonly<Record<string, string>> };
    return Buffer.from(data[field] ?? '', 'base64').toString();
  };
  const certificate = async (namespace: string, name: string, field = 'tls.crt'): Promise<X509Certificate> =>
    new X509Certificate(await fieldOf(namespace, name, field));

  const said = await runJob();
  assert.doesNotMatch(said, /PRIVATE/);
  const authority = await certificate('redpilot', 'redpilot-authority', 'ca.crt');
  const server = await certificate('redpilot', 'redpilot-server-tls');
  const client = await certificate('app', 'redpilot-client-tls');
  assert.ok(server.verify(authority.publicKey) && client.verify(authority.publicKey));
  assert.ok(server.checkHost('redpilot.redpilot.svc.cluster.local'));
  assert.match(client.subjectAltName ?? '', /spiffe:\/\/cluster\.local\/ns\/app\//);

  await runJob();
  const after = await certificate('redpilot', 'redpilot-authority', 'ca.crt');
  const renewed = await certificate('redpilot', 'redpilot-server-tls');
  assert.equal(after.fingerprint256, authority.fingerprint256);
  assert.notEqual(renewed.fingerprint256, server.fingerprint256);
  assert.ok(renewed.verify(authority.publicKey));
}

async function sideBySide(t: TestContext, kube: KubeCluster): Promise<void> {
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
}
