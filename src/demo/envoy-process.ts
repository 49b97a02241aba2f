/**
 * An Envoy of our own, with its admin on a Unix socket in its temporary folder.
 */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { removeFolder, startProcess, temporaryFolder, type Running } from './child-process.ts';
import { envoyAdmin, type AskEnvoy } from './envoy-admin.ts';
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
  readonly admin: AskEnvoy;
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
  const ask = envoyAdmin({ socketPath });
  // What a dead one is asked fails at once, with what it said, where somebody waits for it to change.
  const admin: AskEnvoy = async (...question) => {
    if (!process.isRunning()) throw new Hopeless(`Envoy ended:\n${process.lastLines()}`);
    return ask(...question);
  };
  const stop = async (): Promise<void> => {
    await process.stop();
    await removeFolder(folder);
  };
  try {
    await eventually(
      options.waitUntilReady === false ? "Envoy's admin" : 'Envoy ready',
      async () => {
        const state = (await admin('/ready')).trim();
        return state === 'LIVE' || options.waitUntilReady === false ? true : undefined;
      },
      { seen: process.lastLines },
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
