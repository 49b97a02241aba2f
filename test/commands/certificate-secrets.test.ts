import assert from 'node:assert/strict';
import { test } from 'node:test';

import { applySecrets } from '../../src/commands/certificate-secrets.ts';
import { removeFolder, temporaryFolder } from '../../src/demo/child-process.ts';
import { ApiError } from '../../src/sources/kubernetes/api-error.ts';
import { validFor } from '../../src/tls/authority.ts';
import { writeCertificates } from '../../src/tls/certificate-folder.ts';

test('a namespace that refuses its certificate leaves the others theirs, and is told with the remedy', async (t) => {
  const folder = await temporaryFolder('certificates');
  t.after(() => removeFolder(folder));
  const clients = ['gone', 'shop'];
  await writeCertificates(folder, {
    serverHosts: ['localhost'],
    namespaces: clients,
    trustDomain: 'cluster.local',
    caValidity: validFor(1),
    validity: validFor(1),
    force: false,
  });
  const request = (path: string): Promise<unknown> =>
    path.includes('/gone/')
      ? Promise.reject(
          new ApiError(403, 'Forbidden', 'cannot patch resource "secrets" in the namespace "gone"'),
        )
      : Promise.resolve(undefined);
  const { made, failures } = await applySecrets({ request }, 'redpilot', folder, clients);
  assert.deepEqual(
    made.map(({ path }) => path),
    [
      'Secret redpilot/redpilot-authority',
      'Secret redpilot/redpilot-server-tls',
      'Secret shop/redpilot-client-tls',
    ],
  );
  assert.deepEqual(failures, [
    'Secret gone/redpilot-client-tls was not written: cannot patch resource "secrets" in the namespace "gone"; give it the Role and the RoleBinding of manifests/certificates/rbac.yaml, or take --namespace gone away',
  ]);
});
