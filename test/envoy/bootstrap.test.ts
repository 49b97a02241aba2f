import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';

import { removeFolder, temporaryFolder } from '../../src/demo/child-process.ts';
import { bootstrap, type BootstrapOptions } from '../../src/envoy/bootstrap.ts';
import { viewOfNode } from '../../src/envoy/node-view.ts';
import { needEnvoy } from '../e2e/environment.ts';

const options: BootstrapOptions = {
  xdsAddress: { host: '127.0.0.1', port: 18_000 },
  nodeId: 'app-1',
  drainSeconds: 30,
  delta: true,
  admin: { socketPath: 'admin.sock' },
};
const defaults = { bindAddress: '127.0.0.1', clusterDomain: 'cluster.local' };

function metadataOf(changed: Partial<BootstrapOptions>): Record<string, unknown> {
  const document = bootstrap({ ...options, ...changed }) as { node: { metadata: Record<string, unknown> } };
  return document.node.metadata;
}

test('what a bootstrap says of its node is what the control plane reads back', () => {
  const metadata = metadataOf({
    namespace: 'shop',
    hosts: ['redis-cluster.redis', 'cache'],
    bind: '127.0.0.9',
  });
  assert.equal(metadata['redpilot.drain'], 30);
  assert.deepEqual(viewOfNode(metadata, defaults), {
    namespace: 'shop',
    hosts: [
      'cache',
      'cache.shop.svc.cluster.local',
      'redis-cluster.redis',
      'redis-cluster.redis.svc.cluster.local',
    ],
    bindAddress: '127.0.0.9',
  });
});

test('a node that says nothing gets everything on loopback', () => {
  assert.deepEqual(viewOfNode(metadataOf({}), defaults), {
    namespace: undefined,
    hosts: undefined,
    bindAddress: '127.0.0.1',
  });
});

test('metadata of another form counts as absent', () => {
  const odd = { 'redpilot.namespace': 7, 'redpilot.hosts': 'a', 'redpilot.bind': {} };
  assert.deepEqual(viewOfNode(odd, defaults), {
    namespace: undefined,
    hosts: undefined,
    bindAddress: '127.0.0.1',
  });
});

for (const changed of [
  { delta: true },
  { delta: false },
  { admin: { host: '127.0.0.1', port: 9_901 } },
  { xdsAddress: { host: 'localhost', port: 18_000 } },
]) {
  test(`envoy --mode validate takes the bootstrap with ${JSON.stringify(changed)}`, async (t) => {
    const envoy = await needEnvoy(t);
    if (envoy === undefined) return;
    const folder = await temporaryFolder('bootstrap');
    t.after(() => removeFolder(folder));
    const file = join(folder, 'envoy.json');
    await writeFile(file, JSON.stringify(bootstrap({ ...options, ...changed })));
    const { stdout } = await promisify(execFile)(envoy, [
      '--mode',
      'validate',
      '-c',
      file,
      '--log-level',
      'error',
    ]);
    assert.match(stdout, /OK/);
  });
}
