import assert from 'node:assert/strict';
import { test } from 'node:test';

import { shrink } from './runs.ts';

test('of a list that fails because of two of its members only these are left', () => {
  const all = Array.from({ length: 97 }, (_, index) => index);
  const fails = (some: readonly number[]): boolean => some.includes(13) && some.includes(80);
  assert.deepEqual(shrink(all, fails), [13, 80]);
});
