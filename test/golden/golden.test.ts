import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';

import { OUTPUTS, SAMPLES, caseNames, expectedOutputs, translateCase } from './case.ts';

for (const name of caseNames()) {
  test(`golden case ${name}`, async () => {
    const [actual, expected] = [await translateCase(name), expectedOutputs(name)];
    for (const file of OUTPUTS)
      assert.equal(actual[file], expected[file], `${name}/${file}; npm run golden rewrites it`);
  });
}

test('every sample is a golden case', () => {
  const samples = readdirSync(SAMPLES).map((file) => `sample-${file.replace('.yaml', '')}`);
  assert.deepEqual(
    samples.filter((sample) => !caseNames().includes(sample)),
    [],
  );
});
