import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { KnownFiles } from '../../src/sources/files/known-files.ts';

test('a link is known as one where nothing is to be read of what it leads to yet', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'redpilot-known-'));
  t.after(() => rmSync(folder, { recursive: true }));
  for (const name of ['given', 'empty']) mkdirSync(join(folder, name));
  const known = new KnownFiles([join(folder, 'given')]);
  known.take(await known.look('everything'));
  assert.equal(known.isAnyLinked, false);
  symlinkSync('../empty', join(folder, 'given/more'));
  assert.deepEqual(known.changed(await known.look('everything')), []);
  assert.equal(known.isAnyLinked, true);
  rmSync(join(folder, 'given/more'));
  await known.look('everything');
  assert.equal(known.isAnyLinked, false);
});
