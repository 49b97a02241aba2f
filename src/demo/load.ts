/**
 * A small, steady load of reads and writes through the sidecar, as an application would make it.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import { Redis } from 'ioredis';

export interface Load {
  /** Commands answered, and commands that failed, so far. */
  readonly totals: () => { readonly reads: number; readonly writes: number; readonly errors: number };
  readonly lastError: () => string;
  /** Sends no more, and closes once what was sent is answered. */
  stop(): Promise<void>;
}

const TICK_MS = 10;
const READS_PER_TICK = 4;
const KEYS = 10_000;
/** In which a data plane itself says that there is none, as long as nobody asks for another opTimeout. */
const LAST_ANSWERS_MS = 5_000;

/** Reads every tick and a write every other one, each to a random key, over two connections. */
export function startLoad(port: number, host = '127.0.0.1'): Load {
  const clients = [0, 1].map(() => {
    const client = new Redis({ host, port, protocol: 2, retryStrategy: () => 50 });
    // Told by the commands that fail.
    client.on('error', () => {});
    return client;
  });
  const inFlight = new Set<Promise<void>>();
  let [reads, writes, errors, tick] = [0, 0, 0, 0];
  let lastError = '';
  let isOver = false;
  const follow = (command: Promise<unknown>, answered: () => void): void => {
    const done = command
      .then(answered, (error: unknown) => {
        if (isOver) return;
        errors += 1;
        lastError = error instanceof Error ? error.message : String(error);
      })
      .finally(() => inFlight.delete(done));
    inFlight.add(done);
  };
  const key = (): string => `demo:${Math.floor(Math.random() * KEYS)}`;
  const timer = setInterval(() => {
    tick += 1;
    const client = clients[tick % clients.length];
    if (client?.status !== 'ready') return;
    for (let sent = 0; sent < READS_PER_TICK; sent++) follow(client.get(key()), () => (reads += 1));
    if (tick % 2 === 0) follow(client.set(key(), String(tick)), () => (writes += 1));
  }, TICK_MS);
  const end = async (): Promise<void> => {
    clearInterval(timer);
    // What is not answered by then has failed. ioredis 6 itself never says so of a client that is closed while it waits to
    // connect again.
    const limit = new AbortController();
    const tooLate = sleep(LAST_ANSWERS_MS, undefined, { signal: limit.signal }).catch(() => {});
    await Promise.race([Promise.all(inFlight), tooLate]);
    limit.abort();
    isOver = true;
    if (inFlight.size > 0) lastError = `no answer within ${LAST_ANSWERS_MS / 1_000} s`;
    errors += inFlight.size;
    disconnect(clients);
  };
  let ended: Promise<void> | undefined;
  return {
    totals: () => ({ reads, writes, errors }),
    lastError: () => lastError,
    // Once: ioredis keeps the process for 2 s when a closed client is closed again.
    stop: () => (ended ??= end()),
  };
}

function disconnect(clients: readonly Redis[]): void {
  for (const client of clients) client.disconnect();
}
