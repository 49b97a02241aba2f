import assert from 'node:assert/strict';
import { test } from 'node:test';

import { encodedCases, expectedBytes } from './bytes.ts';

test('the bytes of resources are those of earlier releases (npm run golden writes them anew)', async () => {
  const encoded = (await encodedCases()).split('\n');
  const expected = expectedBytes().split('\n');
  const changed = encoded
    .filter((line) => !expected.includes(line))
    .map((line) => line.split(' ', 3).join(' '));
  assert.deepEqual(changed, []);
  assert.equal(encoded.length, expected.length);
});
