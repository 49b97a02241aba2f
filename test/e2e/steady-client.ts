/** A client that writes what it reads again, one command after the other, and says whether each reply was right and when. */
import { setTimeout as sleep } from 'node:timers/promises';

import { Redis } from 'ioredis';

export interface Steadiness {
  readonly commands: number;
  /** Of each command that was not answered as it should be. */
  readonly wrong: readonly string[];
  /** Milliseconds, ascending. */
  readonly delays: readonly number[];
}

export interface SteadyClient {
  /** Since the last time. */
  take(): Steadiness;
  stop(): Promise<Steadiness>;
}

/** `pauseMs` between the commands. */
export function startSteadyClient(port: number, pauseMs: number): SteadyClient {
  const client = new Redis({ host: '127.0.0.1', port, maxRetriesPerRequest: 0 });
  client.on('error', () => {});
  let wrong: string[] = [];
  let delays: number[] = [];
  let commands = 0;
  const ending = new AbortController();
  const timed = async (what: string, command: Promise<unknown>, expected: unknown): Promise<void> => {
    const startedAt = performance.now();
    commands += 1;
    const reply = await command.catch((error: unknown) => error);
    delays.push(performance.now() - startedAt);
    if (reply !== expected) wrong.push(`${what}: ${String(reply)} instead of ${String(expected)}`);
  };
  const work = async (): Promise<void> => {
    for (let count = 0; !ending.signal.aborted; count++) {
      const key = `friend:${count % 100}`;
      const value = `${count}`.padEnd(1 + (count % 200), 'x');
      await timed(`SET ${key}`, client.set(key, value), 'OK');
      await timed(`GET ${key}`, client.get(key), value);
      await sleep(pauseMs);
    }
  };
  const working = work();
  const take = (): Steadiness => {
    const taken = { commands, wrong, delays: delays.toSorted((a, b) => a - b) };
    [commands, wrong, delays] = [0, [], []];
    return taken;
  };
  return {
    take,
    stop: async () => {
      ending.abort();
      await working;
      client.disconnect();
      return take();
    },
  };
}

export function percentile(ascending: readonly number[], share: number): number {
  return ascending[Math.min(ascending.length - 1, Math.floor(ascending.length * share))] ?? Number.NaN;
}
