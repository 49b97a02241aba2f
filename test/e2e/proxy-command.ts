/**
 * `redpilot proxy` as a process of its own.
 */
import { spawn } from 'node:child_process';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';

import { eventually } from '../../src/demo/eventually.ts';

const CLI = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));

export interface ProxyCommand {
  readonly admin: string;
  /** What it logs. */
  said(): string;
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

/** Resolves once it is ready. Stopped when the test ends. */
export async function startProxyCommand(
  t: TestContext,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<ProxyCommand> {
  const child = spawn(process.execPath, [CLI, 'proxy', '--admin-address', '127.0.0.1:0', ...args], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  const ended = new Promise<number | null>((resolve) => {
    child.once('exit', (code) => resolve(code));
  });
  const stop = (signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> => {
    child.kill(signal);
    return ended;
  };
  t.after(() => stop());
  const admin = await eventually('the admin address', () => /admin on (http:[\w.:/]+)/.exec(said)?.[1], {
    deadlineMs: 60_000,
    seen: () => said,
  });
  await eventually(
    'readiness',
    async () => ((await fetch(`${admin}/readyz`)).status === 200 ? true : undefined),
    { deadlineMs: 60_000, seen: () => said },
  );
  return { admin, said: () => said, stop };
}

/** Of a call that is expected to fail by itself. */
export async function failedProxyCommand(
  args: readonly string[],
): Promise<{ readonly status: number | null; readonly lines: readonly string[] }> {
  const child = spawn(process.execPath, [CLI, 'proxy', ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  const status = await new Promise<number | null>((resolve) => {
    child.once('close', resolve);
  });
  return { status, lines: said.trim().split('\n') };
}
