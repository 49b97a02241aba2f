/**
 * One listening address and the clients that came over it.
 */
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';

import type { SocketAddress } from '../plan/routing-plan.ts';
import { adopt } from './accept.ts';
import { encodeError } from './encode.ts';
import { addressOf } from './node.ts';
import type { Routing } from './routing.ts';
import { Session, type SessionHome } from './session.ts';

const BACKLOG = 4_096;
const KEEPALIVE_MS = 30_000;

const TOO_MANY = encodeError('ERR max number of clients reached');

/** Counts the clients of all listeners. */
export interface Guests {
  count: number;
  readonly max: number;
  nextId: number;
}

export interface ListeningOptions {
  readonly bind: SocketAddress;
  readonly routing: Routing;
  readonly guests: Guests;
  readonly maxRequestBytes: number;
  readonly canShareBuffer: boolean;
}

export class Listening implements SessionHome {
  /** For every command from now on, also of clients that are connected. */
  routing: Routing;
  readonly bind: SocketAddress;
  readonly maxRequestBytes: number;
  readonly #guests: Guests;
  readonly #canShareBuffer: boolean;
  readonly #sessions = new Set<Session>();
  readonly #server: Server;

  private constructor(options: ListeningOptions) {
    this.routing = options.routing;
    this.bind = options.bind;
    this.maxRequestBytes = options.maxRequestBytes;
    this.#guests = options.guests;
    this.#canShareBuffer = options.canShareBuffer;
    this.#server = createServer(
      { pauseOnConnect: true, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEPALIVE_MS },
      (socket) => this.#accept(socket),
    );
  }

  /** Fails with one line that names the address where it can't listen there. */
  static async open(options: ListeningOptions): Promise<Listening> {
    const listening = new Listening(options);
    const { address, port } = options.bind;
    await new Promise<void>((resolve, reject) => {
      listening.#server.once('error', (error: NodeJS.ErrnoException) => {
        const why =
          error.code === 'EADDRINUSE'
            ? 'is in use by another process'
            : `can't be listened on (${error.code})`;
        reject(new Error(`${addressOf(address, port)} ${why}`));
      });
      listening.#server.listen({ host: address, port, backlog: BACKLOG }, () => resolve());
    });
    return listening;
  }

  /** With the port that was taken where 0 was asked for. */
  get address(): string {
    const { address, port } = this.#server.address() as AddressInfo;
    return addressOf(address, port);
  }

  ended(session: Session): void {
    if (this.#sessions.delete(session)) this.#guests.count -= 1;
  }

  /** Accepts nobody any more; resolves when every client has its answers, or when the time is up. */
  async close(drainMs: number): Promise<void> {
    this.#server.close();
    for (const session of this.#sessions) session.end();
    const end = performance.now() + drainMs;
    while (this.#sessions.size > 0 && performance.now() < end) {
      await new Promise((resolve) => {
        setTimeout(resolve, 10);
      });
    }
    for (const session of this.#sessions) session.destroy();
  }

  #accept(socket: Socket): void {
    if (this.#guests.count >= this.#guests.max) {
      socket.on('error', () => {});
      socket.end(TOO_MANY);
      return;
    }
    this.#guests.count += 1;
    adopt(socket, this.#canShareBuffer, (adopted) => {
      const session = new Session(adopted, this, this.#guests.nextId++);
      this.#sessions.add(session);
      return (bytes, length) => session.read(bytes, length);
    });
  }
}
