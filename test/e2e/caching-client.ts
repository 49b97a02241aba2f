/**
 * A client that keeps what it reads until it is told that it has changed, in the very order in which it hears both.
 */
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

type Value = string | null | number | Error | readonly Value[];

interface Parsed {
  readonly value: Value;
  readonly isPush: boolean;
  readonly end: number;
}

/** What it shows, and whom it trusts; undefined: it speaks no TLS. */
interface Credentials {
  readonly password?: string;
  readonly ca?: string;
}

export class CachingClient {
  readonly cache = new Map<string, string | null>();
  /** Keys that were told, and how often it was told to drop everything. */
  readonly told = new Set<string>();
  flushes = 0;
  readonly #socket: Socket;
  readonly #waiting: ((value: Value) => void)[] = [];
  #rest = Buffer.alloc(0);

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk) => this.#read(chunk));
    socket.on('error', () => {});
    socket.on('close', () => {
      this.cache.clear();
      for (const waits of this.#waiting.splice(0)) waits(new Error('closed'));
    });
  }

  /** `options`: of CLIENT TRACKING ON; null: it is not asked for. */
  static async start(
    t: { after(end: () => void): void },
    port: number,
    options: readonly string[] | null = [],
    { password, ca }: Credentials = {},
  ): Promise<CachingClient> {
    const place = { host: '127.0.0.1', port };
    const client = new CachingClient(ca === undefined ? connect(place) : connectTls({ ...place, ca }));
    t.after(() => client.#socket.destroy());
    await client.ask('HELLO', '3', ...(password === undefined ? [] : ['AUTH', 'default', password]));
    if (options !== null) {
      const reply = await client.ask('CLIENT', 'TRACKING', 'ON', ...options);
      if (reply !== 'OK') throw new Error(String(reply));
    }
    return client;
  }

  get isClosed(): boolean {
    return this.#socket.destroyed;
  }

  close(): void {
    this.#socket.destroy();
  }

  /** `heard` is called in the order of what comes. */
  ask(...words: readonly string[]): Promise<Value> {
    return new Promise((resolve) => {
      this.send(words, resolve);
    });
  }

  send(words: readonly string[], heard: (value: Value) => void): void {
    if (this.isClosed) return heard(new Error('closed'));
    this.#waiting.push(heard);
    const bulks = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`);
    this.#socket.write(`*${words.length}\r\n${bulks.join('')}`);
  }

  get(key: string): Promise<void> {
    return new Promise((resolve) => {
      this.send(['GET', key], (value) => {
        this.#keep(key, value);
        resolve();
      });
    });
  }

  mget(keys: readonly string[]): Promise<void> {
    return new Promise((resolve) => {
      this.send(['MGET', ...keys], (values) => {
        if (Array.isArray(values)) for (const [at, key] of keys.entries()) this.#keep(key, values[at]);
        resolve();
      });
    });
  }

  /** As rueidis asks. */
  getInTransaction(key: string): Promise<void> {
    for (const words of [['MULTI'], ['PTTL', key], ['GET', key]]) this.send(words, () => {});
    return new Promise((resolve) => {
      this.send(['EXEC'], (values) => {
        if (Array.isArray(values)) this.#keep(key, values[1]);
        resolve();
      });
    });
  }

  #keep(key: string, value: unknown): void {
    if (typeof value === 'string' || value === null) this.cache.set(key, value);
  }

  #read(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    let at = 0;
    for (;;) {
      const parsed = parse(this.#rest, at);
      if (parsed === undefined) break;
      at = parsed.end;
      if (parsed.isPush) this.#hear(parsed.value);
      else this.#waiting.shift()?.(parsed.value);
    }
    this.#rest = this.#rest.subarray(at);
  }

  #hear(push: Value): void {
    const [kind, keys] = Array.isArray(push) ? push : [];
    if (kind !== 'invalidate') return;
    if (Array.isArray(keys)) {
      for (const key of keys) {
        this.cache.delete(String(key));
        this.told.add(String(key));
      }
    } else {
      this.cache.clear();
      this.flushes += 1;
    }
  }
}

/** undefined: it has not come as a whole. */
function parse(bytes: Buffer, at: number): Parsed | undefined {
  const lineEnd = bytes.indexOf('\r\n', at);
  if (lineEnd < 0) return undefined;
  const type = String.fromCharCode(bytes[at] ?? 0);
  const line = bytes.toString('latin1', at + 1, lineEnd);
  const end = lineEnd + 2;
  switch (type) {
    case '+':
      return { value: line, isPush: false, end };
    case '-':
      return { value: new Error(line), isPush: false, end };
    case ':':
      return { value: Number(line), isPush: false, end };
    case '_':
      return { value: null, isPush: false, end };
    case '$': {
      const size = Number(line);
      if (bytes.length < end + size + 2) return undefined;
      return { value: bytes.toString('latin1', end, end + size), isPush: false, end: end + size + 2 };
    }
    default: {
      const items: Value[] = [];
      let next = end;
      for (let left = Number(line) * (type === '%' ? 2 : 1); left > 0; left--) {
        const item = parse(bytes, next);
        if (item === undefined) return undefined;
        items.push(item.value);
        next = item.end;
      }
      return { value: items, isPush: type === '>', end: next };
    }
  }
}
