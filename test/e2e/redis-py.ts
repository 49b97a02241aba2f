/**
 * A load of the Python client redis-py, as a process of its own.
 */
import { execFile, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import type { Ending } from './sidecar.ts';

/** The command that starts a Python with redis-py; undefined where there is none. */
export async function findRedisPy(): Promise<string | undefined> {
  return await promisify(execFile)('python3', ['-c', 'import redis']).then(
    () => 'python3',
    () => undefined,
  );
}

export interface PythonLoad {
  stop(): Promise<{ readonly answered: number; readonly errors: readonly string[] }>;
}

/** At its defaults, but for RESP2: one command after the other. */
export function startRedisPy(ending: Ending, python: string, port: number): PythonLoad {
  const script = fileURLToPath(new URL('redis_py_load.py', import.meta.url));
  const child = spawn(python, [script, String(port)], { stdio: ['pipe', 'pipe', 'inherit'] });
  ending.after(() => void child.kill());
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  return {
    stop: async () => {
      const closed = new Promise((resolve) => child.once('close', resolve));
      child.stdin.end();
      await closed;
      return JSON.parse(said) as { answered: number; errors: string[] };
    },
  };
}
