/**
 * What an end-to-end test needs of the machine. What is missing skips the test by name, with how to get it; where
 * REDPILOT_REQUIRE lists it, the test fails instead.
 */
import { execFile } from 'node:child_process';
import type { TestContext } from 'node:test';
import { promisify } from 'node:util';

import { MissingBinary, findEnvoy, findRedis, type RedisBinary } from '../../src/demo/binaries.ts';

type Requirement = 'envoy' | 'redis' | 'redis-py';

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

export async function needRedis(t: TestContext, from?: 'path' | 'wheel'): Promise<RedisBinary | undefined> {
  return await orSkip(t, findRedis(from === undefined ? {} : { from }));
}

/** The command that starts a Python with the client library redis-py. */
export async function needRedisPy(t: TestContext): Promise<string | undefined> {
  const works = await promisify(execFile)('python3', ['-c', 'import redis']).then(
    () => true,
    () => false,
  );
  if (works) return 'python3';
  skip(t, 'redis-py', 'redis-py is missing: python3 -m pip install redis');
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

function skip(t: TestContext, requirement: Requirement, reason: string): void {
  const required = (process.env['REDPILOT_REQUIRE'] ?? '').split(',').map((name) => name.trim());
  if (required.includes(requirement)) throw new Error(`${reason} (REDPILOT_REQUIRE asks for ${requirement})`);
  t.skip(reason);
}
