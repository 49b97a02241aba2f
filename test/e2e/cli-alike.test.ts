/**
 * What several commands take alike, or from the environment.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { redpilot } from './command-line.ts';

const SAMPLE = fileURLToPath(new URL('../../manifests/samples/read-policy.yaml', import.meta.url));

test('validate takes what is to be read as it is, or as --config as the other commands', async () => {
  const plain = await redpilot(['validate', SAMPLE]);
  assert.deepEqual(await redpilot(['validate', '--config', SAMPLE]), plain);
  assert.deepEqual(await redpilot(['validate', SAMPLE, '--config', SAMPLE]), plain);
  const none = await redpilot(['validate']);
  assert.equal(none.status, 2);
  assert.match(
    none.stderr,
    /^redpilot: missing argument 'path': name a file or folder of objects; see redpilot/,
  );
});
