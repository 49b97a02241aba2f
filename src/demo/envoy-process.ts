/**
 * An Envoy of our own, with its admin on a Unix socket in its temporary folder.
 */
import { writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';

import { removeFolder, startProcess, temporaryFolder, type Running } from './child-process.ts';
import { Hopeless, eventually } from './eventually.ts';

export interface EnvoyOptions {
  readonly binary: string;
  /** The configuration, given where Envoy's admin socket is. */
  readonly configuration: (adminSocketPath: string) => unknown;
  readonly args?: readonly string[];
  /** Waits until it is ready; false where a test wants to see it not become so. */
  readonly waitUntilReady?: boolean;
}

export interface EnvoyProcess {
  readonly process: Running;
  /** The body of an answer of its admin. */
  admin(path: string, method?: 'GET' | 'POST'): Promise<string>;
  /** Counters and gauges whose names match. */
  stats(pattern: string): Promise<ReadonlyMap<string, number>>;
  stop(): Promise<void>;
}

/** Fails with Envoy's last lines where it ends early. */
export async function startEnvoy(options: EnvoyOptions): Promise<EnvoyProcess> {
  const folder = await temporaryFolder('envoy');
  const socketPath = join(folder, 'admin.sock');
  const file = join(folder, 'envoy.json');
  await writeFile(file, JSON.stringify(options.configuration(socketPath)), { mode: 0o600 });
  const args = ['--config-path', file, '--concurrency', '1', '--disable-hot-restart', '--log-level', 'warn'];
  const process = await startProcess(options.binary, [...args, ...(options.args ?? [])]);
  const admin = (path: string, method: 'GET' | 'POST' = 'GET'): Promise<string> =>
    ask(socketPath, path, method);
  const stop = async (): Promise<void> => {
    await process.stop();
    await removeFolder(folder);
  };
  try {
    await eventually(
      options.waitUntilReady === false ? "Envoy's admin" : 'Envoy ready',
      async () => {
        if (!process.isRunning()) throw new Hopeless(`Envoy ended:\n${process.lastLines()}`);
        const state = (await admin('/ready')).trim();
        return state === 'LIVE' || options.waitUntilReady === false ? true : undefined;
      },
      { deadlineMs: 20_000, seen: process.lastLines },
    );
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    process,
    admin,
    stats: async (pattern) => parseStats(await admin(`/stats?filter=${encodeURIComponent(pattern)}`)),
    stop,
  };
}

function parseStats(text: string): ReadonlyMap<string, number> {
  const lines = text.split('\n').map((line) => line.split(': ', 2) as [string, string | undefined]);
  return new Map(lines.flatMap(([name, value]) => (value === undefined ? [] : [[name, Number(value)]])));
}

function ask(socketPath: string, path: string, method: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, path, method, agent: false, timeout: 5_000 }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        body += chunk;
      });
      response.on('end', () => resolve(body));
      response.on('error', reject);
    });
    asked.on('timeout', () => asked.destroy(new Error(`Envoy's admin did not answer ${path}`)));
    asked.on('error', reject);
    asked.end();
  });
}
