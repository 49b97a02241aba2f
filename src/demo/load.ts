/**
 * A small, steady load of reads and writes through the sidecar, as an application would make it.
 */
import { Redis } from 'ioredis';

export interface Load {
  /** Commands answered, and commands that failed, so far. */
  readonly totals: () => { readonly reads: number; readonly writes: number; readonly errors: number };
  readonly lastError: () => string;
  stop(): void;
}

const TICK_MS = 10;
const KEYS = 10_000;

/** Reads every tick and a write every other one, each to a random key, over two connections. */
export function startLoad(port: number, readsPerTick = 4): Load {
  const clients = [0, 1].map(() => {
    const client = new Redis({ host: '127.0.0.1', port, protocol: 2, retryStrategy: () => 50 });
    // Told by the commands that fail.
    client.on('error', () => {});
    return client;
  });
  let [reads, writes, errors, tick] = [0, 0, 0, 0];
  let lastError = '';
  const failed = (error: unknown): void => {
    errors += 1;
    lastError = error instanceof Error ? error.message : String(error);
  };
  const key = (): string => `demo:${Math.floor(Math.random() * KEYS)}`;
  const timer = setInterval(() => {
    tick += 1;
    const client = clients[tick % clients.length];
    if (client?.status !== 'ready') return;
    for (let sent = 0; sent < readsPerTick; sent++) {
      client.get(key()).then(() => (reads += 1), failed);
    }
    if (tick % 2 === 0) client.set(key(), String(tick)).then(() => (writes += 1), failed);
  }, TICK_MS);
  return {
    totals: () => ({ reads, writes, errors }),
    lastError: () => lastError,
    stop: () => {
      clearInterval(timer);
      for (const client of clients) client.disconnect();
    },
  };
}
