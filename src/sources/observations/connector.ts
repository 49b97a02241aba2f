/**
 * How ioredis connects to servers that others run.
 *
 * Its own connector hears the first error of a socket only. Over TLS there can be a second (a server's alert that comes
 * behind a certificate which was refused here), and an error that nobody hears ends the process.
 */
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

import { AbstractConnector, type RedisOptions } from 'ioredis';

import { endOnOddReplies } from './odd-replies.ts';
import { lookupOnce } from './shared-lookup.ts';

const DISCONNECT_MS = 2_000;

endOnOddReplies();

export class Connector extends AbstractConnector {
  readonly #options: RedisOptions;

  constructor(options: unknown) {
    super((options as RedisOptions).disconnectTimeout ?? DISCONNECT_MS);
    this.#options = options as RedisOptions;
  }

  /** Its socket comes a tick later, as ioredis expects, unless it was disconnected by then. */
  async connect(): Promise<Socket> {
    this.connecting = true;
    await new Promise((resolve) => {
      process.nextTick(resolve);
    });
    if (!this.connecting) throw new Error('Connection is closed.');
    const { host, port = 6_379, tls } = this.#options;
    const place = { port, lookup: lookupOnce, ...(host === undefined ? {} : { host }) };
    const socket = tls === undefined ? connect(place) : connectTls({ ...place, ...tls });
    socket.on('error', (error) => {
      this.firstError ??= error;
    });
    this.stream = socket;
    return socket;
  }

  /** Of one that is closed already no end would come: the limit for it would keep the process for nothing. */
  override disconnect(): void {
    if (this.stream?.destroyed) this.connecting = false;
    else super.disconnect();
  }
}
