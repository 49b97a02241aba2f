/**
 * Everything that can be said of the code without a server (`npm run check`): types, lint, format, dead code, coverage.
 * The import order of the rooms is a test of its own, which coverage runs.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const SOURCES = ['src', 'test', 'benchmarks', 'tooling', 'bin'];

/** Lines that some test without a server runs; what needs real servers is left out of the sum. */
const COVERED_LINES = 85;
const WITHOUT_SERVERS = [
  'src/envoy/protos/**',
  'src/demo/**',
  'src/proxy/**',
  'src/commands/**',
  'src/cli.ts',
  'src/admin/**',
  'src/mesh/{keeper,present-filters,writes}.ts',
  'src/sources/kubernetes/{api-server,credentials,secrets,watch}.ts',
  'src/status/{keeper,replica,reports,writer}.ts',
];

const CHECKS: readonly (readonly [name: string, command: readonly string[]])[] = [
  ['types', ['tsc', '-p', '.']],
  ['lint', ['oxlint', '--type-aware', ...SOURCES]],
  ['format', ['oxfmt', '--check', ...SOURCES]],
  ['dead code', ['knip']],
  [
    'coverage',
    [
      'c8',
      '--all',
      '--src=src',
      '--include=src/**',
      ...WITHOUT_SERVERS.map((pattern) => `--exclude=${pattern}`),
      '--check-coverage',
      `--lines=${COVERED_LINES}`,
      '--reporter=text',
      'node',
      '--test',
      '--test-reporter=dot',
      '--test-timeout=60000',
      'test/{api,envoy,golden,istio,mesh,plan,redis,sources,status,world,xds}/**/*.test.ts',
      'test/*.test.ts',
    ],
  ],
];

let failed = 0;
for (const [name, [program = '', ...args]] of CHECKS) {
  const started = Date.now();
  const { status, stdout, stderr, error } = spawnSync(`${root}node_modules/.bin/${program}`, args, {
    cwd: root,
    encoding: 'utf8',
  });
  const seconds = ((Date.now() - started) / 1_000).toFixed(1);
  const ok = status === 0;
  process.stdout.write(`${ok ? 'ok  ' : 'FAIL'} ${name} (${seconds} s)\n`);
  if (ok) continue;
  failed += 1;
  process.stdout.write(`${stdout}${stderr}${error?.message ?? ''}\n`);
}
process.exitCode = failed > 0 ? 1 : 0;
