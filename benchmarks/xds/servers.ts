/**
 * The servers that are compared, each a process of its own, with the same resources.
 */
import { type ChildProcessWithoutNullStreams, execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { translateObjects } from '../../src/commands/translate-objects.ts';
import { CLUSTER_TYPE, LISTENER_TYPE } from '../../src/envoy/resource.ts';
import type { Snapshot } from '../../src/envoy/resource-set.ts';
import { snapshotOf } from '../../src/envoy/snapshot.ts';
import { readFiles } from '../../src/sources/files/read.ts';
import type { ServiceFolder } from './objects.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

export const KINDS = ['redpilot', 'linear', 'snapshot', 'bare'] as const;
export type Kind = (typeof KINDS)[number];

export interface BenchmarkServer {
  readonly pid: number;
  readonly address: string;
  /** undefined where it has no such thing. */
  readonly changeEndpoint: (() => Promise<void>) | undefined;
  changeOne(index: number): Promise<void>;
  changeAll(): Promise<void>;
  stop(): Promise<void>;
}

/** undefined: what it needs is not there. */
export async function startServer(kind: Kind, folder: ServiceFolder): Promise<BenchmarkServer | undefined> {
  if (kind === 'redpilot') return await startRedpilot(folder);
  const data = join(folder.path, '..', 'resources.jsonl');
  if (kind === 'bare') {
    const file = join(ROOT, 'benchmarks/peers/bare-grpc/server.ts');
    return await startPeer(process.execPath, [file, data]);
  }
  const binary = buildGoPeer();
  return binary === undefined ? undefined : await startPeer(binary, ['-cache', kind, '-data', data]);
}

async function startRedpilot(folder: ServiceFolder): Promise<BenchmarkServer> {
  const child = spawn(process.execPath, [
    join(ROOT, 'src/cli.ts'),
    'serve',
    '--no-probe',
    `--config=${folder.path}`,
    '--xds-address=127.0.0.1:0',
    '--admin-address=127.0.0.1:0',
  ]);
  const address = await said(child, child.stderr, /serving xDS on ([\d.:]+)/);
  child.stderr.resume();
  return {
    pid: child.pid ?? 0,
    address,
    changeOne: (index) => folder.changeOne(index),
    changeAll: () => folder.changeAll(),
    changeEndpoint: () => folder.changeEndpoint(),
    stop: () => stop(child),
  };
}

async function startPeer(binary: string, args: readonly string[]): Promise<BenchmarkServer> {
  const child = spawn(binary, args);
  const address = await said(child, child.stdout, /^([\d.]+:\d+)$/);
  child.stderr.on('data', (chunk: Buffer) => process.stderr.write(chunk));
  const command = async (line: string): Promise<void> => void child.stdin.write(`${line}\n`);
  return {
    pid: child.pid ?? 0,
    address,
    changeOne: (index) => command(`change ${index}`),
    changeAll: () => command('all'),
    changeEndpoint: undefined,
    stop: () => stop(child),
  };
}

async function said(
  child: ChildProcessWithoutNullStreams,
  stream: NodeJS.ReadableStream,
  pattern: RegExp,
): Promise<string> {
  const gone = new Promise<never>((_, reject) => {
    child.once('exit', (code) => reject(new Error(`${child.spawnfile} ended with ${code}`)));
  });
  gone.catch(() => {});
  const found = (async () => {
    for await (const line of createInterface({ input: stream })) {
      const match = pattern.exec(line);
      if (match?.[1] !== undefined) return match[1];
    }
    throw new Error(`${child.spawnfile} said no address`);
  })();
  return await Promise.race([found, gone]);
}

async function stop(child: ChildProcessWithoutNullStreams): Promise<void> {
  const exited = new Promise((resolve) => child.once('exit', resolve));
  // Thousands of clients would have to take their leave first.
  child.kill('SIGKILL');
  await exited;
}

/** Our Go program, built once; undefined without Go. */
function buildGoPeer(): string | undefined {
  if (spawnSync('go', ['version']).status !== 0) {
    process.stderr.write('go is not on the PATH: go-control-plane is left out\n');
    return undefined;
  }
  const cache = join(ROOT, '.cache');
  mkdirSync(cache, { recursive: true });
  const binary = join(cache, 'go-control-plane-peer');
  process.stderr.write('building benchmarks/peers/go-control-plane (minutes, the first time)\n');
  execFileSync('go', ['build', '-buildvcs=false', '-p=1', '-o', binary, '.'], {
    cwd: join(ROOT, 'benchmarks/peers/go-control-plane'),
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  return binary;
}

/** The peers' resources: what redpilot makes of the folder, before and after a change of everything. */
export async function describeResources(folder: ServiceFolder): Promise<void> {
  const before = await snapshotOfFolder(folder);
  await folder.changeAll();
  const changed = await snapshotOfFolder(folder);
  await folder.changeAll();
  const lines: string[] = [];
  for (const { name, bytes } of before.get(CLUSTER_TYPE)?.list ?? [])
    lines.push(JSON.stringify({ type: 'cluster', name, a: base64(bytes) }));
  // Those that a change leaves as they are come last: a change is told by number.
  const listeners = (before.get(LISTENER_TYPE)?.list ?? []).map(({ name, bytes, version }) => {
    const other = changed.get(LISTENER_TYPE)?.get(name);
    const line = { type: 'listener', name, a: base64(bytes), b: base64(other?.bytes ?? bytes) };
    return { isChanged: other?.version !== version, text: JSON.stringify(line) };
  });
  for (const isChanged of [true, false])
    lines.push(...listeners.filter((line) => line.isChanged === isChanged).map(({ text }) => text));
  writeFileSync(join(folder.path, '..', 'resources.jsonl'), `${lines.join('\n')}\n`);
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

async function snapshotOfFolder(folder: ServiceFolder): Promise<Snapshot> {
  const { objects } = await readFiles([folder.path]);
  return snapshotOf(translateObjects(objects).plan, undefined);
}
