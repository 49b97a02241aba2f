import assert from 'node:assert/strict';
import { test } from 'node:test';

import { temporaryFolder } from '../../src/demo/child-process.ts';

test('where no temporary folder can be made, the variable that names another is told', async (t) => {
  const before = process.env['TMPDIR'];
  process.env['TMPDIR'] = '/nonexistent';
  t.after(() => {
    if (before === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = before;
  });
  await assert.rejects(temporaryFolder('a'), {
    message: "/nonexistent can't be written to (ENOENT); set TMPDIR to a folder that can",
  });
});
