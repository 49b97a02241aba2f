/**
 * GETs at a fixed rate, whatever comes back: an open loop, so that a slow target can't slow down what measures it.
 *
 * Every millisecond sends what is due, each command on the next connection; a reply's time counts from the write.
 */
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

import { ReplyScanner } from '../src/redis/reply-scanner.ts';
import type { Seen } from './redis-benchmark.ts';

export interface FixedRate {
  readonly perSecond: number;
  readonly seconds: number;
  readonly clients: number;
}

const KEYS = 100_000;
/** What is seen before is not counted. */
const WARM_UP_MS = 300;
const LAST_ANSWERS_MS = 5_000;

export async function runAtFixedRate(port: number, load: FixedRate): Promise<Seen> {
  const times: number[] = [];
  const clients = await Promise.all(
    Array.from({ length: load.clients }, () => Client.open(port, (ms) => times.push(ms))),
  );
  const begin = performance.now();
  const end = begin + load.seconds * 1_000;
  let sent = 0;
  let warmUp = 0;
  for (let now = begin; now < end; now = performance.now()) {
    if (now - begin < WARM_UP_MS) warmUp = times.length;
    const due = Math.floor(((now - begin) * load.perSecond) / 1_000);
    for (; sent < due; sent++) clients[sent % clients.length]?.ask();
    for (const client of clients) client.flush();
    await sleep(1);
  }
  const limit = performance.now() + LAST_ANSWERS_MS;
  while (times.length < sent && performance.now() < limit) await sleep(1);
  const answered = times.length;
  const took = performance.now() - begin;
  for (const client of clients) client.close();
  if (answered < sent) {
    throw new Error(`${sent - answered} of ${sent} GETs have no answer; --rate gives fewer a second`);
  }
  const sorted = Float64Array.from(times.slice(warmUp)).sort();
  const at = (share: number): number => sorted[Math.floor(share * (sorted.length - 1))] ?? 0;
  return { commands: answered, perSecond: (answered / took) * 1_000, p50: at(0.5), p99: at(0.99) };
}

class Client {
  readonly #socket: Socket;
  readonly #scanner = new ReplyScanner();
  #rest: Buffer = Buffer.alloc(0);
  #toSend = '';
  /** When what is not answered yet was written, the oldest first. */
  readonly #sentAt: number[] = [];

  private constructor(socket: Socket, answered: (ms: number) => void) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => {
      const now = performance.now();
      const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
      let at = 0;
      while (at < bytes.length) {
        const next = this.#scanner.scan(bytes, at, bytes.length);
        if (next <= 0) break;
        at = next;
        answered(now - (this.#sentAt.shift() ?? now));
      }
      this.#rest = bytes.subarray(at);
    });
  }

  static async open(port: number, answered: (ms: number) => void): Promise<Client> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    return new Client(socket, answered);
  }

  ask(): void {
    const key = `key:${String(Math.floor(Math.random() * KEYS)).padStart(12, '0')}`;
    this.#toSend += `*2\r\n$3\r\nGET\r\n$${key.length}\r\n${key}\r\n`;
    this.#sentAt.push(performance.now());
  }

  flush(): void {
    if (this.#toSend === '') return;
    this.#socket.write(this.#toSend, 'latin1');
    this.#toSend = '';
  }

  close(): void {
    this.#socket.destroy();
  }
}
