/**
 * What becomes of a command whose output nobody reads.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { CLI } from './command-line.ts';
import { documents, redisService } from './objects.ts';

const SAMPLE = fileURLToPath(new URL('../../manifests/samples/read-policy.yaml', import.meta.url));

const wrong = documents(redisService({ name: 'a', settings: { readPolicy: 'REPLICAS' } }));

test('a reader that leaves early is no error', async () => {
  const child = spawn(process.execPath, [CLI, 'translate', '--config', SAMPLE], { stdio: 'pipe' });
  child.stdout.destroy();
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const [status] = (await once(child, 'close')) as [number | null];
  assert.equal(status, 0, stderr);
  assert.doesNotMatch(stderr, /EPIPE/);
});

test('messages that nobody reads cost no result', async () => {
  const child = spawn(process.execPath, [CLI, 'translate', '--config', SAMPLE], { stdio: 'pipe' });
  child.stderr.destroy();
  let stdout = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  const [status] = (await once(child, 'close')) as [number | null];
  assert.equal(status, 0);
  assert.match(stdout, /^static_resources:/);
});

test('a reader that leaves early makes wrong objects no better', async () => {
  const child = spawn(process.execPath, [CLI, 'validate', '-'], { stdio: 'pipe' });
  child.stdout.destroy();
  child.stdin.end(wrong);
  const [status] = (await once(child, 'close')) as [number | null];
  assert.equal(status, 1);
});
