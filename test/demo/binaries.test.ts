import assert from 'node:assert/strict';
import { test } from 'node:test';

import { findEnvoy } from '../../src/demo/binaries.ts';

test('a folder is no program, though it may be entered', async (t) => {
  const before = process.env['ENVOY_BIN'];
  process.env['ENVOY_BIN'] = import.meta.dirname;
  t.after(() => {
    if (before === undefined) delete process.env['ENVOY_BIN'];
    else process.env['ENVOY_BIN'] = before;
  });
  await assert.rejects(findEnvoy(), {
    message: 'ENVOY_BIN names no executable file: correct it, or unset it',
  });
});
