import assert from 'node:assert/strict';
import cluster from 'node:cluster';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test, type TestContext } from 'node:test';

import { pino } from 'pino';

import { Workers, type WorkersOptions } from '../../src/commands/workers.ts';
import { removeFolder, temporaryFolder } from '../../src/demo/child-process.ts';
import { eventually } from '../../src/demo/eventually.ts';

const MODULE = new URL('../../src/commands/workers.ts', import.meta.url).href;

/** Starts at once, and serves nobody. */
const WORKER = `
import { FirstProcess, leaveFirstProcess } from ${JSON.stringify(MODULE)};
const first = new FirstProcess();
await first.memory();
first.report = async () => ({ pid: process.pid, notReady: undefined, metrics: [], listeners: [], topology: [] });
first.started();
await first.stopAsked;
leaveFirstProcess();
`;

/** That serve nobody. */
async function start(t: TestContext, count: number, options: Partial<WorkersOptions> = {}): Promise<Workers> {
  const folder = await temporaryFolder('workers');
  t.after(() => removeFolder(folder));
  const exec = join(folder, 'worker.mjs');
  await writeFile(exec, WORKER);
  cluster.setupPrimary({ exec, cwd: folder });
  const log = pino({ enabled: false });
  const workers = await Workers.start(count, { log, stopMs: 40_000, onReport: () => {}, ...options });
  assert.ok(workers !== undefined);
  return workers;
}

test('a worker whose process can not be made is one line, and no end of the first process', async () => {
  const lines: string[] = [];
  const log = pino({ base: null }, { write: (line) => void lines.push(line) });
  cluster.setupPrimary({
    exec: fileURLToPath(import.meta.url),
    cwd: fileURLToPath(new URL('nowhere', import.meta.url)),
  });
  assert.equal(await Workers.start(1, { log, stopMs: 1_000, onReport: () => {} }), undefined);
  assert.equal(lines.filter((line) => line.includes('ENOENT')).length, 1, lines.join(''));
});

test('a worker that is asked to stop while it starts stops by itself', async (t) => {
  const workers = await start(t, 1);
  const [report] = (await workers.reports()).values();
  const next = new Promise<number | null>((resolve) => {
    cluster.once('fork', (worker) => {
      worker.process.once('exit', resolve);
      void workers.close();
    });
  });
  process.kill(report!.pid, 'SIGKILL');
  assert.equal(await next, 0, 'not killed');
});

test('a worker that stands still is ended, and another one takes its place', async (t) => {
  const lines: string[] = [];
  const log = pino({ base: null }, { write: (line) => void lines.push(line) });
  const workers = await start(t, 2, { log, patience: { everyMs: 200, questions: 10 } });
  t.after(async () => await workers.close());
  const before = await workers.reports();
  process.kill(before.get(2)!.pid, 'SIGSTOP');
  const now = await eventually('another one', async () => {
    const reports = await workers.reports();
    return reports.has(2) && reports.get(2)!.pid !== before.get(2)!.pid ? reports : undefined;
  });
  assert.equal(now.get(1)!.pid, before.get(1)!.pid);
  assert.match(lines.join(''), /"worker":2,"msg":"a worker does not answer and is ended"/);
});
