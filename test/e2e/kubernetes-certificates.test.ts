import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { parseAllDocuments } from 'yaml';

import { removeFolder, temporaryFolder } from '../../src/demo/child-process.ts';
import { KubeCluster } from './kube-cluster.ts';

const CLI = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));
const MANIFESTS = fileURLToPath(new URL('../../manifests/certificates', import.meta.url));

interface Job {
  readonly spec: {
    readonly template: {
      readonly spec: { readonly containers: readonly { readonly args: readonly string[] }[] };
    };
  };
}

test('the Job makes certificates that are renewed under the same authority, with the rights of its manifest', async (t) => {
  const kube = await KubeCluster.start(t, { crds: false });
  if (kube === undefined) return;
  await kube.installControlPlane();
  await kube.kubectl(['create', 'namespace', 'app']);
  const applied = await kube.kubectl(['apply', '-k', MANIFESTS]);
  assert.equal(applied.status, 0, applied.stderr);
  const [job] = parseAllDocuments(await readFile(join(MANIFESTS, 'job.yaml'), 'utf8'));
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
});
