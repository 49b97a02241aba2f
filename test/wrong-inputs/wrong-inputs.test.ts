import assert from 'node:assert/strict';
import { test } from 'node:test';

import { expectedLines, linesFor, wrongInputs } from './case.ts';

const expected = expectedLines();

for (const file of wrongInputs()) {
  test(`${file.replace('.yaml', '')} is told with its place and remedy`, async () => {
    const lines = await linesFor(file);
    assert.ok(lines.length > 0, 'nothing was said');
    assert.deepEqual(lines, expected.get(file));
  });
}

test('no line shows what may be a password', () => {
  for (const line of [...expected.values()].flat()) assert.doesNotMatch(line, /never-to-be|shown/);
});

test('every line that is expected has its input', () => {
  assert.deepEqual([...expected.keys()], wrongInputs());
});
