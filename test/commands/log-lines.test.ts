import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, readSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

import { LogLines } from '../../src/commands/log-lines.ts';
import { eventually } from '../../src/demo/eventually.ts';

test('lines come whole and in order through a pipe that is full meanwhile', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'redpilot-log-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'pipe');
  execFileSync('mkfifo', [path]);
  const pipe = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  t.after(() => closeSync(pipe));

  const lines = new LogLines(pipe);
  const written = Array.from({ length: 3_000 }, (_, index) => `${String(index).padStart(99, '.')}\n`);
  for (const line of written) lines.write(line);

  const chunk = Buffer.alloc(1_048_576);
  let read = '';
  await eventually('all of them', () => {
    try {
      for (;;) read += chunk.toString('latin1', 0, readSync(pipe, chunk));
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, 'EAGAIN');
    }
    return read.length >= written.join('').length || undefined;
  });
  assert.equal(read, written.join(''));
});
