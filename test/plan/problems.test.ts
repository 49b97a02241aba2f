import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Diagnostic } from '../../src/api/diagnostic.ts';
import { Problems } from '../../src/plan/problems.ts';

const about = (name: string, path: Diagnostic['path'] = ['spec', 'host']): Diagnostic => ({
  severity: 'error',
  reason: 'HostConflict',
  object: { kind: 'RedisDestination', namespace: 'n', name },
  path,
  message: 'the host is described already',
});

test('what is said of one object and field is said once', () => {
  const problems = new Problems();
  problems.addAll([about('a'), about('b')]);
  problems.addAll([about('a'), about('a', ['spec', 'hosts', 0])]);
  assert.deepEqual(problems.found, [about('a'), about('b'), about('a', ['spec', 'hosts', 0])]);
});

// Comparing each with each took minutes.
test('the same of 30,000 objects is told in no time', { timeout: 10_000 }, () => {
  const problems = new Problems();
  problems.addAll(Array.from({ length: 30_000 }, (_, index) => about(`d${index}`)));
  assert.equal(problems.found.length, 30_000);
});
