import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';

import { removeFolder, temporaryFolder } from '../../src/demo/child-process.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { look } from '../../src/sources/files/tree.ts';

/** So often that some looks fall between its two halves. */
const LOOKS = 5_000;

test('a file that is put there while it is looked at is no link that leads nowhere', async (t) => {
  const folder = await temporaryFolder('tree');
  const path = join(folder, 'a.yaml');
  const comesAndGoes = new Worker(
    `const { unlinkSync, writeFileSync } = require('node:fs');
     const path = ${JSON.stringify(path)};
     for (;;) { writeFileSync(path, ''); unlinkSync(path); }`,
    { eval: true },
  );
  t.after(async () => {
    await comesAndGoes.terminate();
    await removeFolder(folder);
  });
  const isThere = async (): Promise<boolean> => (await look(path)) !== undefined;
  await eventually('the file', async () => (await isThere()) || undefined, { everyMs: 1 });
  for (let count = 0; count < LOOKS; count++) assert.notEqual(typeof (await look(path)), 'string');
});
