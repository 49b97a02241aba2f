import type { Socket } from 'node:net';

import { addressOf, plainAddress } from '../../api/host-port.ts';
import type { ClientAuth } from '../../plan/routing-plan.ts';
import { RESP3, TRACKED } from '../topology/handshake.ts';
import type { Tracking } from './tracking.ts';

/** What a connection remembers of its client. */
export class LocalState {
  readonly id: number;
  /** Asked for its addresses only where they are needed: each costs a system call. */
  readonly #socket: Socket;
  readonly since = Date.now();
  #protocol: 2 | 3 = 2;
  /** null: it keeps nothing of what it reads, as nearly always. */
  #tracking: Tracking | null = null;
  /** Which connections to Redis are for its commands, but for where they go: handshake.ts has the bits. */
  connectionKind = 0;
  isAuthenticated: boolean;
  /** It has given what was right then, and was not just let in. */
  hasPassword = false;
  name = '';
  libraryName = '';
  libraryVersion = '';

  constructor(id: number, socket: Socket, auth: ClientAuth) {
    this.id = id;
    this.#socket = socket;
    this.isAuthenticated = auth.kind === 'none';
  }

  get protocol(): 2 | 3 {
    return this.#protocol;
  }

  set protocol(protocol: 2 | 3) {
    // What has changed can't be said in the other one.
    if (protocol === 2) this.track(null);
    this.#protocol = protocol;
    this.connectionKind = (protocol === 3 ? RESP3 : 0) | (this.#tracking === null ? 0 : TRACKED);
  }

  get tracking(): Tracking | null {
    return this.#tracking;
  }

  track(tracking: Tracking | null): void {
    if (tracking === this.#tracking) return;
    this.#tracking?.close();
    this.#tracking = tracking;
    this.protocol = this.#protocol;
  }

  /** What clients must present may have changed: who came in without a password needs one by now. */
  follow(auth: ClientAuth): void {
    this.isAuthenticated = auth.kind === 'none' || this.hasPassword;
  }

  get address(): string {
    return addressOf(plainAddress(this.#socket.remoteAddress ?? ''), this.#socket.remotePort ?? 0);
  }

  get localHost(): string {
    return plainAddress(this.#socket.localAddress ?? '127.0.0.1');
  }

  get localPort(): number {
    return this.#socket.localPort ?? 0;
  }
}
