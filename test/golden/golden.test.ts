import assert from 'node:assert/strict';
import { test } from 'node:test';

import { OUTPUTS, caseNames, expectedOutputs, translateCase } from './case.ts';

for (const name of caseNames()) {
  test(`golden case ${name}`, async () => {
    const [actual, expected] = [await translateCase(name), expectedOutputs(name)];
    for (const file of OUTPUTS)
      assert.equal(actual[file], expected[file], `${name}/${file}; npm run golden rewrites it`);
  });
}
