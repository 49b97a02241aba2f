/**
 * GETs at a fixed rate, whatever comes back: an open loop, so that a slow target can't slow down what measures it.
 *
 * Each command has its moment and its connection, one after the other, and a reply's time counts from that moment, not from
 * the write: what is sent late has waited, too. The loop never sleeps, as a timer's millisecond would send twenty together, and
 * most of what is measured were the wait behind one's neighbours. It costs one core, the same for every target.
 */
import { connect, type Socket } from 'node:net';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';

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
  const total = load.perSecond * load.seconds;
  let sent = 0;
  let warmUp = 0;
  while (sent < total) {
    const elapsed = performance.now() - begin;
    if (elapsed < WARM_UP_MS) warmUp = times.length;
    const due = Math.min(total, Math.floor((elapsed * load.perSecond) / 1_000));
    for (; sent < due; sent++) clients[sent % clients.length]?.ask(begin + (sent * 1_000) / load.perSecond);
    await nextTurn();
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
  /** The moments of what is not answered yet, the oldest first. */
  readonly #dueAt: number[] = [];

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
        answered(now - (this.#dueAt.shift() ?? now));
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

  ask(dueAt: number): void {
    const key = `key:${String(Math.floor(Math.random() * KEYS)).padStart(12, '0')}`;
    this.#dueAt.push(dueAt);
    this.#socket.write(`*2\r\n$3\r\nGET\r\n$${key.length}\r\n${key}\r\n`, 'latin1');
  }

  close(): void {
    this.#socket.destroy();
  }
}
