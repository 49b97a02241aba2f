/**
 * One connection of a client: who it is, its streams, and its end.
 *
 * It ends when its certificate does, since it is no longer known then whose it is; and when it is older than
 * `--max-connection-age`, give or take a tenth, so that clients spread over the servers there are. First the client is
 * told to open no more streams on it (GOAWAY), then its streams are ended; then it is closed.
 */
import type { Socket } from 'node:net';

import type { ConnectionInjector } from '@grpc/grpc-js';

import type { Found } from '../tls/identity.ts';
import type { Clock } from './clock.ts';
import type { XdsLog } from './live-stream.ts';

/** How long clients may take to close what they were told to. */
export const GOODBYE_MS = 2_000;

/** Connections that were opened together, after a restart, do not end together. */
const JITTER = 0.1;

export interface ConnectionOptions {
  readonly clock: Clock;
  /** undefined without TLS. */
  readonly identity: Found | undefined;
  readonly maxAgeMs: number | undefined;
  /** When the certificate ends, in milliseconds since 1970. */
  readonly notAfterMs: number | undefined;
  readonly log: XdsLog;
}

/** What of a stream is needed to end it. */
interface Ending {
  leave(why: string): void;
  sendAway(why: string): void;
}

/** As grpc-js names the peer of a call. */
export function peerOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress ?? 'unknown'}:${remotePort ?? 0}`;
}

export class Connection {
  readonly peer: string;
  readonly identity: Found | undefined;
  readonly #injector: ConnectionInjector;
  readonly #options: ConnectionOptions;
  readonly #streams = new Set<Ending>();
  #isLeaving = false;
  #callOff: () => void = () => {};

  /** From now on the socket is grpc-js's. */
  constructor(socket: Socket, injector: ConnectionInjector, options: ConnectionOptions) {
    this.#injector = injector;
    this.#options = options;
    this.identity = options.identity;
    this.peer = peerOf(socket);
    // That a connection breaks is told by its streams.
    socket.on('error', () => {});
    this.#endInTime();
    injector.injectConnection(socket);
  }

  get streams(): number {
    return this.#streams.size;
  }

  add(stream: Ending): void {
    this.#streams.add(stream);
    if (this.#isLeaving) stream.leave('the connection is closing');
  }

  delete(stream: Ending): void {
    this.#streams.delete(stream);
  }

  /** The server goes. */
  leave(why: string): void {
    this.#end((stream) => stream.leave(why));
  }

  #end(endStream: (stream: Ending) => void): void {
    if (this.#isLeaving) return;
    this.#isLeaving = true;
    this.#injector.drain(GOODBYE_MS);
    for (const stream of this.#streams) endStream(stream);
  }

  /** The socket is closed. */
  closed(): void {
    this.#callOff();
    this.#injector.destroy();
  }

  #endInTime(): void {
    const { clock, maxAgeMs, notAfterMs, log } = this.#options;
    const startMs = clock.now();
    const agedMs = maxAgeMs === undefined ? Infinity : maxAgeMs * (1 + JITTER * (2 * Math.random() - 1));
    const expiredMs = notAfterMs === undefined ? Infinity : Math.max(0, notAfterMs - Date.now());
    const endMs = startMs + Math.min(agedMs, expiredMs);
    if (endMs === Infinity) return;
    const why = agedMs < expiredMs ? 'the connection has reached its age' : 'the certificate has expired';
    const wait = (): void => {
      const leftMs = endMs - clock.now();
      if (leftMs > 0) this.#callOff = clock.setTimeout(wait, leftMs);
      else {
        log.info({ peer: this.peer, why }, 'connection ended');
        this.#end((stream) => stream.sendAway(why));
      }
    };
    wait();
  }
}
