/**
 * One listening address and the clients that came over it.
 */
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';

import { addressOf } from '../api/host-port.ts';
import { listenProblem } from '../api/listen-problem.ts';
import type { SocketAddress } from '../plan/routing-plan.ts';
import { adopt } from './wire/accept.ts';
import { CommandSession } from './command-session.ts';
import { encodeError, REPLIES } from './wire/encode.ts';
import type { ClientCount } from './client/client-count.ts';
import type { ListenerTls } from './listener-tls.ts';
import type { Routing } from './client/routing.ts';
import type { Session, SessionHome } from './client/session.ts';

const BACKLOG = 4_096;
const KEEPALIVE_MS = 30_000;
const TURNED_AWAY_MS = 2_000;

const TOO_MANY = encodeError('ERR max number of clients reached');

export interface ListeningOptions {
  readonly bind: SocketAddress;
  readonly routing: Routing;
  readonly clientCount: ClientCount;
  /** undefined: in the clear. */
  readonly tls: ListenerTls | undefined;
}

export class Listening implements SessionHome {
  #routing: Routing;
  readonly bind: SocketAddress;
  readonly #clientCount: ClientCount;
  readonly sessions = new Set<Session>();
  readonly #server: Server;
  #address = '';
  readonly #tls: ReturnType<ListenerTls['open']> | undefined;

  private constructor(options: ListeningOptions) {
    this.#routing = options.routing;
    this.bind = options.bind;
    this.#clientCount = options.clientCount;
    this.#tls = options.tls?.open((socket) => this.#serve(socket));
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
      // Later ones are of a client that could not be accepted (ENOBUFS), and would end the process if nobody heard them.
      listening.#server.on('error', (error: NodeJS.ErrnoException) => {
        reject(new Error(`${addressOf(address, port)} ${listenProblem(error, port)}`));
      });
      listening.#server.listen({ host: address, port, backlog: BACKLOG }, () => resolve());
    });
    const taken = listening.#server.address() as AddressInfo;
    listening.#address = addressOf(taken.address, taken.port);
    return listening;
  }

  get routing(): Routing {
    return this.#routing;
  }

  /** For every command from now on, also of clients that are connected. */
  reroute(routing: Routing): void {
    const isLikeBefore = routing.leadsLike(this.#routing);
    this.#routing = routing;
    for (const session of this.sessions) {
      if (!isLikeBefore) session.awaitAnswers();
      session.rerouted();
    }
  }

  /** With the port that was taken where 0 was asked for; where it listened, while it is closed. */
  get address(): string {
    return this.#address;
  }

  ended(session: Session): void {
    // Under TLS who has not shaken hands yet counts, too, until the connection below is closed.
    if (this.sessions.delete(session) && this.#tls === undefined) this.#clientCount.leave();
  }

  /** Accepts nobody any more; resolves when every client has its answers, or when the time is up. */
  async close(drainMs: number): Promise<void> {
    this.#server.close();
    this.#tls?.close();
    for (const session of this.sessions) session.drain();
    const end = performance.now() + drainMs;
    while (this.sessions.size > 0 && performance.now() < end) {
      await new Promise((resolve) => {
        setTimeout(resolve, 10);
      });
    }
    // A connection that is closed without a word makes clients send again what may have been carried out.
    await Promise.all(Array.from(this.sessions, (session) => session.giveUp(REPLIES.upstreamFailure)));
  }

  #accept(socket: Socket): void {
    const isFull = !this.#clientCount.enter(socket);
    if (this.#tls !== undefined) {
      // Nothing can be said to it without a handshake, which is what it must not cost.
      if (isFull) return void socket.destroy();
      socket.once('close', () => this.#clientCount.leave());
      this.#tls.take(socket);
    } else if (isFull) {
      socket.on('error', () => {});
      if (!this.#clientCount.mayLinger(socket)) return void socket.end(TOO_MANY, () => socket.destroy());
      socket.end(TOO_MANY);
      // Read from, to see that it goes; who does not is put out, whatever it sends.
      socket.resume();
      const limit = setTimeout(() => socket.destroy(), TURNED_AWAY_MS);
      socket.once('close', () => clearTimeout(limit));
    } else {
      this.#serve(socket);
    }
  }

  #serve(socket: Socket): void {
    const session = new CommandSession(socket, this, this.#clientCount.newId());
    this.sessions.add(session);
    adopt(socket, session);
  }
}
