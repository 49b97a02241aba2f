import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { REASONS } from '../src/api/diagnostic.ts';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Not of objects alone: each is the subject of tests of its own. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  // What was good before: needs a change.
  LastGoodKept: 'test/plan/planner.test.ts',
  // What the API server did, and what a node says.
  DestinationsUnknown: 'test/e2e/kubernetes-crds.test.ts',
  FieldDropped: 'test/sources/kubernetes/held-objects.test.ts',
  // What else is in a cluster.
  EnvoyFilterConflict: 'test/e2e/kubernetes-istio.test.ts',
  EnvoyFiltersLeft: 'test/mesh/left-namespaces.test.ts',
  Rejected: 'test/status/conditions.test.ts',
};

const expected = [
  'test/wrong-inputs/expected.txt',
  ...globSync('test/golden/{cases,istio}/*/diagnostics.txt', { cwd: root }),
].map((file) => readFileSync(`${root}${file}`, 'utf8'));

for (const reason of REASONS) {
  const file = ELSEWHERE[reason];
  test(`${reason} is told of some object`, () => {
    if (file === undefined) assert.ok(expected.some((text) => text.includes(` ${reason}: `)));
    else assert.match(readFileSync(`${root}${file}`, 'utf8'), new RegExp(`\\b${reason}\\b`));
  });
}

test('docs/diagnostics.md explains every reason, and no other', () => {
  const text = readFileSync(`${root}docs/diagnostics.md`, 'utf8');
  const rows = text.split('\n').filter((line) => /^\| `[A-Z][A-Za-z]+`/.test(line));
  const explained = rows.flatMap((row) =>
    [...(row.split(' | ')[0] ?? '').matchAll(/`(\w+)`/g)].map(([, name]) => name),
  );
  assert.deepEqual(explained, [...REASONS]);
});
