import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';

const MODULE = fileURLToPath(new URL('../../src/commands/stop-asked.ts', import.meta.url));
/** Goes on until it is told twice. */
const PROGRAM = `
import { endAsFirstProcess, stopAsked } from ${JSON.stringify(MODULE)};
setInterval(() => {}, 1_000);
endAsFirstProcess();
if (process.argv.includes('starting')) { console.log('begun'); await new Promise(() => {}); }
process.on('SIGUSR2', () => console.log('still here'));
const stopped = stopAsked(Number(process.argv.at(-1)));
console.log('begun');
await stopped;
console.log('asked');
`;

/** As in a container, of whose first process nothing is the end but what it does itself. */
const AS_FIRST = `data:text/javascript,${encodeURIComponent(
  "Object.defineProperty(process, 'pid', { value: 1 }); process.kill = () => true;",
)}`;

async function started(
  t: TestContext,
  { isFirst = false, stage = 'running', togetherMs = 0 } = {},
): Promise<{ readonly child: ChildProcess; readonly line: () => Promise<string> }> {
  const first = isFirst ? ['--import', AS_FIRST] : [];
  const child = spawn(
    process.execPath,
    [...first, '--input-type=module', '--eval', PROGRAM, stage, String(togetherMs)],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  t.after(() => child.kill('SIGKILL'));
  const line = async (): Promise<string> => String((await once(child.stdout, 'data'))[0]).trim();
  assert.equal(await line(), 'begun');
  return { child, line };
}

const SIGNALS = [
  ['SIGTERM', 'SIGTERM'],
  ['SIGINT', 'SIGTERM'],
  ['SIGHUP', 'SIGTERM'],
  ['SIGTERM', 'SIGINT'],
] as const;
for (const [first, second] of SIGNALS) {
  test(`${first} asks to stop, then ${second} ends at once`, async (t) => {
    const { child, line } = await started(t);
    child.kill(first);
    assert.equal(await line(), 'asked');
    child.kill(second);
    assert.deepEqual(await once(child, 'exit'), [null, second]);
  });
}

test('what comes with the first, as from who hands it on, does not end at once', async (t) => {
  const { child, line } = await started(t, { togetherMs: 600_000 });
  child.kill('SIGINT');
  assert.equal(await line(), 'asked');
  child.kill('SIGTERM');
  child.kill('SIGUSR2');
  assert.equal(await line(), 'still here');
});

test('a terminal that is closed may say so twice', async (t) => {
  const { child, line } = await started(t);
  child.kill('SIGHUP');
  assert.equal(await line(), 'asked');
  child.kill('SIGHUP');
  child.kill('SIGUSR2');
  assert.equal(await line(), 'still here');
});

test('the first process of a container ends at the second signal, too', async (t) => {
  const { child, line } = await started(t, { isFirst: true });
  child.kill('SIGTERM');
  assert.equal(await line(), 'asked');
  child.kill('SIGTERM');
  assert.deepEqual(await once(child, 'exit'), [143, null]);
});

test('the first process of a container ends at a signal while it starts', async (t) => {
  const { child } = await started(t, { isFirst: true, stage: 'starting' });
  child.kill('SIGTERM');
  assert.deepEqual(await once(child, 'exit'), [143, null]);
});
