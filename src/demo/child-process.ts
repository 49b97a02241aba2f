/**
 * A process of our own, in a temporary folder of its own: neither outlives us, however we end (but by SIGKILL).
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { rmSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { listenProblem } from '../api/listen-problem.ts';

const running = new Set<ChildProcess>();
const folders = new Set<string>();

const ENDING = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
let isGuarded = false;

/** From the first process or folder on: a program that starts none keeps its signals as they are. */
function guard(): void {
  if (isGuarded) return;
  isGuarded = true;
  process.on('exit', cleanUp);
  for (const signal of ENDING) process.on(signal, endBy);
}

/** A signal ends a process without 'exit'. Who else listens to it decides when to end, and 'exit' comes then. */
function endBy(signal: NodeJS.Signals): void {
  if (process.listenerCount(signal) > 1) return;
  cleanUp();
  process.removeListener(signal, endBy);
  process.kill(process.pid, signal);
}

function cleanUp(): void {
  for (const child of running) child.kill('SIGKILL');
  // Retried: a process that is just being killed may still be writing there.
  for (const folder of folders)
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 20 });
}

/** Removed by `removeFolder`, else when this process ends. */
export async function temporaryFolder(name: string): Promise<string> {
  guard();
  const folder = await mkdtemp(join(tmpdir(), `redpilot-${name}-`)).catch((error: NodeJS.ErrnoException) => {
    throw new Error(`${tmpdir()} can't be written to (${error.code}); set TMPDIR to a folder that can`, {
      cause: error,
    });
  });
  folders.add(folder);
  return folder;
}

export async function removeFolder(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  folders.delete(folder);
}

export interface Running {
  readonly pid: number;
  /** Resolves when it has ended, however that came. */
  readonly ended: Promise<void>;
  readonly isRunning: () => boolean;
  /** Its last lines on both outputs. */
  readonly lastLines: () => string;
  signal(signal: NodeJS.Signals): void;
  /** SIGTERM, and SIGKILL where that does not help. */
  stop(): Promise<void>;
}

const STOP_LIMIT_MS = 3_000;
const KEPT_CHARACTERS = 8_000;

/** Fails where the binary can't be started at all. */
export async function startProcess(binary: string, args: readonly string[]): Promise<Running> {
  guard();
  // A process group of its own: a terminal's Ctrl-C is for us alone, who stop it when its last counters are read.
  const child = spawn(binary, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-KEPT_CHARACTERS);
    });
  }
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => {
      running.delete(child);
      resolve();
    });
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', () => resolve());
    child.once('error', (error) => reject(new Error(`${binary} can't be started: ${error.message}`)));
  });
  running.add(child);
  return {
    pid: child.pid ?? 0,
    ended,
    isRunning: () => running.has(child),
    lastLines: () => said.trim().split('\n').slice(-8).join('\n'),
    signal: (signal) => {
      if (running.has(child)) child.kill(signal);
    },
    stop: async () => {
      if (!running.has(child)) return;
      child.kill('SIGTERM');
      // A stopped process does not hear SIGTERM.
      child.kill('SIGCONT');
      const limit = setTimeout(() => child.kill('SIGKILL'), STOP_LIMIT_MS);
      await ended;
      clearTimeout(limit);
    },
  };
}

/**
 * Ports of 127.0.0.1 that nobody listens on, all different, and none of those that the kernel gives to connections: one of
 * these may be anybody's a moment later.
 */
export async function freePorts(count: number): Promise<number[]> {
  const { first, last } = portRange();
  const ports: number[] = [];
  for (let tried = first; ports.length < count; tried++) {
    if (tried > last) throw new Error(`no ${count} free ports of 127.0.0.1 from ${first} to ${last}`);
    nextPort ??= first + Math.floor(Math.random() * (last - first));
    const port = nextPort;
    nextPort = port < last ? port + 1 : first;
    const server = await listenOn(port).catch(() => undefined);
    if (server === undefined) continue;
    await new Promise((resolve) => server.close(resolve));
    ports.push(port);
  }
  return ports;
}

let nextPort: number | undefined;

/** REDPILOT_PORTS=FIRST-LAST gives processes that run side by side their own: what is free may be what another is about to take. */
export function portRange(): { readonly first: number; readonly last: number } {
  const [first = 12_000, last = 31_999] = (process.env['REDPILOT_PORTS']?.split('-') ?? []).map(Number);
  return { first, last };
}

/** Fails with one line where something listens on the port, or nobody may. */
export async function checkFree(port: number): Promise<void> {
  try {
    const server = await listenOn(port);
    await new Promise((resolve) => server.close(resolve));
  } catch (error) {
    const why = listenProblem(error as NodeJS.ErrnoException, port);
    throw new Error(`127.0.0.1:${port} ${why}; give another with --port`, { cause: error });
  }
}

async function listenOn(port: number): Promise<Server> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve());
  });
  return server;
}
