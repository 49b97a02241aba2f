import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ISTIO_OUTPUTS, expectedIstioOutputs, istioCaseNames, translateIstioCase } from './istio-case.ts';

for (const name of istioCaseNames()) {
  test(`golden case of Istio ${name}`, async () => {
    const [actual, expected] = [await translateIstioCase(name), expectedIstioOutputs(name)];
    for (const file of ISTIO_OUTPUTS)
      assert.equal(actual[file], expected[file], `${name}/${file}; npm run golden rewrites it`);
  });
}
