/**
 * A steady load on many connections: each command's fate and duration, none retried.
 */
import { Redis } from 'ioredis';

import { eventually } from '../../src/demo/eventually.ts';

export interface Sent {
  readonly kind: 'read' | 'write';
  readonly key: string;
  readonly startedAt: number;
  readonly tookMs: number;
  readonly error: string | undefined;
}

const KEYS = 300;
/** For reads, and as many for writes: replies leave in order, so a read behind a write that waits would wait too. */
const CONNECTIONS = 10;

export class SteadyLoad {
  readonly #sent: Sent[] = [];
  readonly #clients: readonly Redis[];
  #timer: NodeJS.Timeout | undefined;
  #pending = 0;

  private constructor(port: number) {
    this.#clients = Array.from({ length: 2 * CONNECTIONS }, () => {
      const client = new Redis({
        host: '127.0.0.1',
        port,
        enableReadyCheck: false,
        maxRetriesPerRequest: 0,
        retryStrategy: () => 50,
      });
      client.on('error', () => {});
      return client;
    });
  }

  /** Every key has its value when it resolves; reads check theirs. */
  static async start(
    port: number,
    rates: { readonly readsPerSecond: number; readonly writesPerSecond: number },
  ): Promise<SteadyLoad> {
    const load = new SteadyLoad(port);
    const first = load.#clients[0];
    for (let index = 0; index < KEYS; index++) await first?.set(`key:${index}`, `of ${index}`);
    await eventually('replicas having the values', async () => {
      for (let index = 0; index < KEYS; index++) {
        if ((await first?.get(`key:${index}`)) !== `of ${index}`) return undefined;
      }
      return true;
    });
    load.#run(rates.readsPerSecond, rates.writesPerSecond);
    return load;
  }

  /** So many more commands have come back. */
  async more(count: number): Promise<void> {
    const enough = this.#sent.length + count;
    await eventually(`${count} more commands`, () => this.#sent.length >= enough || undefined);
  }

  pause(): void {
    clearInterval(this.#timer);
  }

  stop(): void {
    clearInterval(this.#timer);
    for (const client of this.#clients) client.disconnect();
  }

  /** After `pause`: everything of a kind, once all has come back. */
  async finished(kind: Sent['kind']): Promise<readonly Sent[]> {
    await eventually('the last replies', () => (this.#pending === 0 ? true : undefined));
    return this.#sent.filter((sent) => sent.kind === kind);
  }

  #run(readsPerSecond: number, writesPerSecond: number): void {
    const start = performance.now();
    const counts = { read: 0, write: 0 };
    this.#timer = setInterval(() => {
      const seconds = (performance.now() - start) / 1_000;
      while (counts.read < seconds * readsPerSecond) void this.#send('read', counts.read++);
      while (counts.write < seconds * writesPerSecond) void this.#send('write', counts.write++);
    }, 5);
  }

  async #send(kind: Sent['kind'], count: number): Promise<void> {
    const client = this.#clients[(count % CONNECTIONS) + (kind === 'write' ? CONNECTIONS : 0)];
    const index = (count * 7) % KEYS;
    const key = `key:${index}`;
    const startedAt = performance.now();
    this.#pending += 1;
    let error: string | undefined;
    try {
      const value = await (kind === 'read' ? client?.get(key) : client?.set(key, `of ${index}`));
      if (kind === 'read' && value !== `of ${index}`) error = `the value was ${value}`;
    } catch (thrown) {
      error = thrown instanceof Error ? thrown.message : String(thrown);
    }
    this.#pending -= 1;
    this.#sent.push({ kind, key, startedAt, tookMs: performance.now() - startedAt, error });
  }
}
