import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { loadCredentials } from '../../../src/sources/kubernetes/credentials.ts';

test('a kubeconfig that is none, or is not there, is named, with the variable that names it', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'redpilot-kubeconfig-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const none = join(folder, 'none');
  const broken = join(folder, 'broken');
  writeFileSync(broken, 'clusters: [');
  for (const [file, why] of [
    [none, "can't be read (ENOENT)"],
    [broken, 'is not a kubeconfig'],
  ] as const) {
    assert.throws(() => loadCredentials({ KUBECONFIG: file }), {
      message: `no credentials for Kubernetes: ${file} ${why}; correct the file, or KUBECONFIG, which names it`,
    });
  }
});
