/**
 * Loads of several client libraries, each at its own defaults (but for RESP2), to see what a change costs its users.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import { Redis } from 'ioredis';
import { createClient } from 'redis';

export interface LoadTotals {
  readonly answered: number;
  /** Commands that the caller saw fail, by what it was told. */
  readonly errors: ReadonlyMap<string, number>;
}

export interface ClientLoad {
  /** Sends no more, and closes once what was sent is answered. */
  stop(): Promise<LoadTotals>;
}

export function errorsOf({ errors }: LoadTotals): number {
  return [...errors.values()].reduce((sum, count) => sum + count, 0);
}

type Send = (name: 'GET' | 'SET', key: string) => Promise<unknown>;

const TICK_MS = 5;
const COMMANDS_PER_TICK = 5;
const KEYS = 1_000;
const LAST_ANSWERS_MS = 5_000;

/** Opens with HELLO 3, which Envoy refuses, and goes on with RESP2 by itself. */
export function startIoredis(port: number): ClientLoad {
  const client = new Redis({ host: '127.0.0.1', port });
  // Told by the commands that fail.
  client.on('error', () => {});
  return startLoad(
    (name, key) => (name === 'GET' ? client.get(key) : client.set(key, 'value')),
    async () => client.disconnect(),
  );
}

/** `retries`: how often the caller sends a command again whose connection broke; node-redis itself never does. */
export async function startNodeRedis(port: number, retries = 0): Promise<ClientLoad> {
  const client = createClient({ socket: { host: '127.0.0.1', port }, RESP: 2 });
  client.on('error', () => {});
  await client.connect();
  const send: Send = (name, key) => (name === 'GET' ? client.get(key) : client.set(key, 'value'));
  const sendAgain = async (name: 'GET' | 'SET', key: string, left: number): Promise<unknown> => {
    try {
      return await send(name, key);
    } catch (error) {
      if (left === 0 || !isBroken(error)) throw error;
      return await sendAgain(name, key, left - 1);
    }
  };
  return startLoad(
    (name, key) => sendAgain(name, key, retries),
    async () => client.destroy(),
  );
}

/** The connection broke: an answer of Redis, even an error, is none of these. */
function isBroken(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = 'code' in error ? error.code : undefined;
  return error.message === 'Socket closed unexpectedly' || code === 'ECONNRESET' || code === 'EPIPE';
}

function startLoad(send: Send, close: () => Promise<void>): ClientLoad {
  const errors = new Map<string, number>();
  const inFlight = new Set<Promise<unknown>>();
  let [answered, sent] = [0, 0];
  let isOver = false;
  const timer = setInterval(() => {
    for (let index = 0; index < COMMANDS_PER_TICK; index++) {
      sent += 1;
      const done = send(sent % 4 === 0 ? 'SET' : 'GET', `client:${sent % KEYS}`)
        .then(
          () => (answered += 1),
          (error: unknown) => {
            if (isOver) return;
            const text = error instanceof Error ? error.message : String(error);
            errors.set(text, (errors.get(text) ?? 0) + 1);
          },
        )
        .finally(() => inFlight.delete(done));
      inFlight.add(done);
    }
  }, TICK_MS);
  const end = async (): Promise<LoadTotals> => {
    clearInterval(timer);
    // A client that is closed while it waits to connect again may never say so (ioredis 6).
    const limit = new AbortController();
    const tooLate = sleep(LAST_ANSWERS_MS, undefined, { signal: limit.signal }).catch(() => {});
    await Promise.race([Promise.all(inFlight), tooLate]);
    limit.abort();
    isOver = true;
    if (inFlight.size > 0) errors.set('no answer', inFlight.size);
    await close();
    return { answered, errors };
  };
  let ended: Promise<LoadTotals> | undefined;
  return { stop: () => (ended ??= end()) };
}
