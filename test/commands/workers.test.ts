import assert from 'node:assert/strict';
import cluster from 'node:cluster';
import { fileURLToPath } from 'node:url';
import { test } from 'node:test';

import { pino } from 'pino';

import { Workers } from '../../src/commands/workers.ts';

test('a worker whose process can not be made is one line, and no end of the first process', async () => {
  const lines: string[] = [];
  const log = pino({ base: null }, { write: (line) => void lines.push(line) });
  cluster.setupPrimary({
    exec: fileURLToPath(import.meta.url),
    cwd: fileURLToPath(new URL('nowhere', import.meta.url)),
  });
  assert.equal(await Workers.start(1, { log, stopMs: 1_000 }), undefined);
  assert.equal(lines.filter((line) => line.includes('ENOENT')).length, 1, lines.join(''));
});
