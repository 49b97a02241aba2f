/**
 * What the first `npm start` of a clone does, with an npm of our own.
 */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
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

type Change = readonly [from: string, to: string];

/** What takes half a minute takes half a second. */
const HURRIED: readonly Change[] = [
  ['LOOK_MS = 10_000', 'LOOK_MS = 100'],
  ['SILENT_MS = 30_000', 'SILENT_MS = 500'],
];
/** However long a shell takes to start, half a second is not over before it has said something. */
const FROM_THE_FIRST_WORD: Change = ['waitedMs = Date.now()', "waitedMs = said === '' ? 0 : Date.now()"];
/** Nor is a second, in which it cleans up. */
const PATIENT: Change = ['STOP_LIMIT_MS = 1_000', 'STOP_LIMIT_MS = 60_000'];

async function clone(t: TestContext, ...changes: readonly Change[]): Promise<string> {
  const folder = await temporaryFolder('setup');
  t.after(() => removeFolder(folder));
  for (const name of ['tooling', 'path']) mkdirSync(join(folder, name));
  let setup = readFileSync(SETUP, 'utf8');
  for (const [from, to] of changes) {
    assert.ok(setup.includes(from), from);
    setup = setup.replace(from, to);
  }
  writeFileSync(join(folder, 'tooling/setup.js'), setup);
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

/** As long as there is its folder. */
const RUNS_ON = 'echo $$ > pid\nwhile [ -e pid ]; do sleep 0.05; done\n';

async function pidOfNpm(folder: string): Promise<number> {
  return await eventually('npm runs', () => Number(readFileSync(join(folder, 'pid'), 'utf8')) || undefined);
}

for (const signal of ['SIGINT', 'SIGHUP', 'SIGTERM'] as const) {
  test(`${signal} ends npm before it ends the set-up, by itself`, async (t) => {
    const { folder, child, ended } = start(
      t,
      await clone(t, PATIENT),
      // One that takes its time to clean up.
      `trap ': > cleaned; exit 1' TERM\n${RUNS_ON}`,
    );
    const pid = await pidOfNpm(folder);
    child.kill(signal);
    assert.deepEqual(await ended, [null, signal]);
    assert.equal(isRunning(pid), false);
    assert.equal(existsSync(join(folder, 'cleaned')), true);
  });
}

test('an npm that does not end when it is asked to is killed', async (t) => {
  const { folder, child, ended } = start(t, await clone(t), `trap '' TERM\n${RUNS_ON}`);
  const pid = await pidOfNpm(folder);
  child.kill('SIGTERM');
  assert.deepEqual(await ended, [null, 'SIGTERM']);
  assert.equal(isRunning(pid), false);
});

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

const REMEDY =
  /\nthe npm registry does not answer; name a proxy with HTTPS_PROXY, or a mirror with npm config set registry URL; run npm ci by hand/;

test('a registry that never answers is given up soon, with what to do', async (t) => {
  const { ended, said, runs } = start(t, await clone(t, ...HURRIED), 'sleep 60\n');
  assert.deepEqual(await ended, [1, null]);
  // None, where it had not even begun.
  assert.ok(runs().length <= 1);
  assert.match(said(), /^installing npm packages: no answer of the registry yet \(\d+ s\)$/m);
  assert.match(said(), REMEDY);
});

test('a registry that can not be reached is told as that, behind what npm says of it', async (t) => {
  const npm = `cat >&2 <<'END'
npm warn EBADENGINE Unsupported engine
npm http fetch GET http://127.0.0.1:1/zod attempt 1 failed with ECONNREFUSED
npm error code ECONNREFUSED
END
exit 1
`;
  const { ended, said } = start(t, await clone(t), npm);
  assert.deepEqual(await ended, [1, null]);
  assert.match(said(), REMEDY);
  assert.match(said(), /\nnpm error code ECONNREFUSED\n/);
  assert.doesNotMatch(said(), /npm (http|warn)/);
});

test('while answers come it is said how many, and nothing is given up', async (t) => {
  const folder = await clone(t, ...HURRIED, FROM_THE_FIRST_WORD);
  const answer = 'npm http fetch GET 200 http://127.0.0.1:1/zod 12ms (cache miss)';
  const npm = `echo '${answer}' >&2\nuntil [ -e goon ] || [ ! -e runs ]; do sleep 0.05; done\n${INSTALLS}`;
  const { ended, said } = start(t, folder, npm);
  const told = /^installing npm packages: 1 answers so far/gm;
  await eventually('more of it than silence would have had', () =>
    (said().match(told)?.length ?? 0) > 6 ? true : undefined,
  );
  writeFileSync(join(folder, 'goon'), '');
  assert.deepEqual(await ended, [0, null]);
});
