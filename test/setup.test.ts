/**
 * What the first `npm start` of a clone does, with an npm of our own.
 */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';

import { removeFolder, temporaryFolder } from '../src/demo/child-process.ts';
import { eventually } from '../src/demo/eventually.ts';

const SETUP = fileURLToPath(new URL('../tooling/setup.js', import.meta.url));

/** Each run is a line of `runs`: what it found in node_modules. */
const NPM = `#!/bin/sh
ls node_modules 2>/dev/null | wc -l >> runs
mkdir -p node_modules/half
`;
const INSTALLS = 'touch node_modules/.package-lock.json\n';

interface Started {
  readonly folder: string;
  readonly child: ChildProcess;
  readonly said: () => string;
  readonly ended: Promise<unknown[]>;
  readonly runs: () => readonly string[];
}

async function clone(t: TestContext): Promise<string> {
  const folder = await temporaryFolder('setup');
  t.after(() => removeFolder(folder));
  for (const name of ['tooling', 'path']) mkdirSync(join(folder, name));
  copyFileSync(SETUP, join(folder, 'tooling/setup.js'));
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  writeFileSync(join(folder, 'package-lock.json'), '{}');
  return folder;
}

function start(t: TestContext, folder: string, npm: string): Started {
  writeFileSync(join(folder, 'path/npm'), `${NPM}${npm}`, { mode: 0o755 });
  const child = spawn(process.execPath, [join(folder, 'tooling/setup.js')], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, PATH: `${join(folder, 'path')}:${process.env['PATH'] ?? ''}` },
  });
  t.after(() => child.kill('SIGKILL'));
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const runs = join(folder, 'runs');
  return {
    folder,
    child,
    said: () => said,
    ended: once(child, 'close'),
    runs: () => (existsSync(runs) ? readFileSync(runs, 'utf8').trim().split('\n') : []),
  };
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

for (const signal of ['SIGINT', 'SIGHUP', 'SIGTERM'] as const) {
  test(`${signal} ends npm before it ends the set-up, by itself`, async (t) => {
    const { folder, child, ended } = start(
      t,
      await clone(t),
      // One that takes its time to clean up.
      `trap ': > cleaned; exit 1' TERM\necho $$ > pid\nwhile true; do sleep 0.05; done\n`,
    );
    const pid = await eventually(
      'npm runs',
      () => Number(readFileSync(join(folder, 'pid'), 'utf8')) || undefined,
      { deadlineMs: 30_000 },
    );
    child.kill(signal);
    assert.deepEqual(await ended, [null, signal]);
    assert.equal(isRunning(pid), false);
    assert.equal(existsSync(join(folder, 'cleaned')), true);
  });
}

test('what a stopped installation left is removed before the next', async (t) => {
  const folder = await clone(t);
  mkdirSync(join(folder, 'node_modules/.left'), { recursive: true });
  mkdirSync(join(folder, 'node_modules/left'));
  const { ended, runs } = start(t, folder, INSTALLS);
  assert.deepEqual(await ended, [0, null]);
  assert.deepEqual(runs(), ['0']);
});

test('where another npm is still writing, it is tried again', async (t) => {
  const npm = `[ $(wc -l < runs) = 1 ] && { echo 'npm error code ENOTEMPTY' >&2; exit 190; }\n${INSTALLS}`;
  const { ended, runs, said } = start(t, await clone(t), npm);
  assert.deepEqual(await ended, [0, null]);
  assert.deepEqual(runs(), ['0', '0']);
  assert.doesNotMatch(said(), /ENOTEMPTY/);
});

test('what else goes wrong is shown, once', async (t) => {
  const { ended, runs, said } = start(t, await clone(t), `echo 'npm error code E404' >&2; exit 1\n`);
  assert.deepEqual(await ended, [1, null]);
  assert.equal(runs().length, 1);
  assert.match(said(), /npm error code E404\nnpm ci failed; run npm ci by hand/);
});
