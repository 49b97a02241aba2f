/**
 * A transparent relay before a real server: passes every byte on, and notes which commands came from whom.
 */
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

import { COMPLETE, REQUEST_LIMITS, RequestFrame } from '../../../src/redis/request-frame.ts';
import type { Ending } from '../sidecar.ts';

export interface Arrival {
  /** The relay's name. */
  readonly node: string;
  /** The command as it came, a byte a character. */
  readonly bytes: string;
}

export class Recorder {
  /** By the word that a case has in all of its keys. */
  readonly #ofCases = new Map<string, Arrival[]>();
  #others: Arrival[] = [];

  note(arrival: Arrival): void {
    const ids = new Set([...arrival.bytes.matchAll(/\{(c\d+)\}/g)].map(([, id = '']) => id));
    if (ids.size === 0) this.#others.push(arrival);
    for (const id of ids) {
      const known = this.#ofCases.get(id);
      if (known === undefined) this.#ofCases.set(id, [arrival]);
      else known.push(arrival);
    }
  }

  of(id: string): readonly Arrival[] {
    return this.#ofCases.get(id) ?? [];
  }

  /** What has no case's word in it. */
  others(): readonly Arrival[] {
    return this.#others;
  }

  forget(): void {
    this.#ofCases.clear();
    this.#others = [];
  }
}

/** Listens on a free port of 127.0.0.1 until the test ends. */
export async function startRelay(
  t: Ending,
  recorder: Recorder,
  { node, port }: { readonly node: string; readonly port: number },
): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer({ noDelay: true }, (client) => {
    const upstream = connect({ host: '127.0.0.1', port, noDelay: true });
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(one);
      one.on('error', () => one.destroy());
      one.on('close', () => {
        sockets.delete(one);
        other.destroy();
      });
    }
    const watch = watcher((bytes) => recorder.note({ node, bytes }));
    client.on('data', (chunk: Buffer) => {
      watch(chunk);
      upstream.write(chunk);
    });
    upstream.on('data', (chunk: Buffer) => client.write(chunk));
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** Cuts what comes into commands. */
function watcher(onCommand: (bytes: string) => void): (chunk: Buffer) => void {
  const frame = new RequestFrame();
  let buffered: Buffer = Buffer.alloc(0);
  return (chunk) => {
    buffered = buffered.length === 0 ? chunk : Buffer.concat([buffered, chunk]);
    let at = 0;
    for (;;) {
      frame.begin(at);
      if (frame.parse(buffered, buffered.length, REQUEST_LIMITS) !== COMPLETE) break;
      onCommand(buffered.toString('latin1', frame.start, frame.at));
      at = frame.at;
    }
    buffered = buffered.subarray(at);
  };
}
