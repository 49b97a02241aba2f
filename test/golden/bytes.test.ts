import assert from 'node:assert/strict';
import { test } from 'node:test';

import { encodedCases, expectedBytes } from './bytes.ts';

test('the bytes of resources are those of earlier releases (npm run golden writes them anew)', async () => {
  assert.equal(await encodedCases(), expectedBytes());
});
