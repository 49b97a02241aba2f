/**
 * An open load: commands at a steady rate, each on a connection that nobody uses, none retried.
 */
import { Redis } from 'ioredis';

export interface Sent {
  readonly kind: 'read' | 'write';
  /** Whether its key belongs to the shard that is hurt. */
  readonly hurt: boolean;
  readonly sentAt: number;
  doneAt: number | undefined;
  error: string | undefined;
}

export class FreeConnections {
  readonly #port: number;
  readonly #free: Redis[] = [];
  readonly #all: Redis[] = [];

  constructor(port: number) {
    this.#port = port;
  }

  async send(sent: Sent, key: string): Promise<void> {
    const client = this.#free.pop() ?? this.#connect();
    try {
      await (sent.kind === 'read' ? client.get(key) : client.set(key, 'value'));
    } catch (error) {
      sent.error = error instanceof Error ? error.message : String(error);
    }
    sent.doneAt = Date.now();
    this.#free.push(client);
  }

  close(): void {
    for (const client of this.#all) client.disconnect();
  }

  #connect(): Redis {
    const client = new Redis({
      host: '127.0.0.1',
      port: this.#port,
      protocol: 2,
      enableReadyCheck: false,
      maxRetriesPerRequest: 0,
      retryStrategy: () => 20,
    });
    client.on('error', () => {});
    this.#all.push(client);
    return client;
  }
}

export interface LoadOptions {
  readonly port: number;
  readonly readsPerSecond: number;
  readonly writesPerSecond: number;
  readonly hurtKeys: readonly string[];
  readonly otherKeys: readonly string[];
}

/** A third of the commands goes to the shard that is hurt. */
export class OpenLoad {
  readonly sent: Sent[] = [];
  readonly #connections: FreeConnections;
  readonly #timer: NodeJS.Timeout;

  constructor(options: LoadOptions) {
    const { readsPerSecond, writesPerSecond, hurtKeys, otherKeys } = options;
    this.#connections = new FreeConnections(options.port);
    const start = Date.now();
    const counts = { read: 0, write: 0 };
    const send = (kind: 'read' | 'write'): void => {
      counts[kind] += 1;
      const hurt = counts[kind] % 3 === 0;
      const keys = hurt ? hurtKeys : otherKeys;
      const sent: Sent = { kind, hurt, sentAt: Date.now(), doneAt: undefined, error: undefined };
      this.sent.push(sent);
      void this.#connections.send(sent, keys[counts[kind] % keys.length] ?? '');
    };
    this.#timer = setInterval(() => {
      const seconds = (Date.now() - start) / 1_000;
      while (counts.read < seconds * readsPerSecond) send('read');
      while (counts.write < seconds * writesPerSecond) send('write');
    }, 5);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#connections.close();
  }
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** Keys of the first shard, and keys of the others. */
export async function keysByShard(
  node: Redis,
  slots: readonly (readonly [number, number])[],
): Promise<{ readonly hurtKeys: readonly string[]; readonly otherKeys: readonly string[] }> {
  const [hurtKeys, otherKeys]: [string[], string[]] = [[], []];
  for (let index = 0; hurtKeys.length < 100 || otherKeys.length < 200; index++) {
    const key = `key:${index}`;
    const slot = await node.cluster('KEYSLOT', key);
    const isHurt = slots.some(([first, last]) => first <= slot && slot <= last);
    (isHurt ? hurtKeys : otherKeys).push(key);
  }
  return { hurtKeys, otherKeys };
}
