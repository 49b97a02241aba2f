/**
 * Connections to one node that a client has had for itself and left as it found them: the next client that needs one
 * takes it. If each transaction opened its own, it would cost three more round trips, and a port for a minute.
 */
import type { Connection } from '../wire/connection.ts';
import type { ConnectionOwner } from '../wire/connection-owner.ts';
import { clock } from '../wire/turn.ts';

/** Unused for one to two of them, a connection is closed. */
const ROUND_MS = 10_000;
/** One over which the node tells what has changed only after so many: its end empties the caches of all who are told. */
const ROUNDS_OF_TELLING = 30;
const MOST_IDLE = 64;

interface Idle {
  readonly connection: Connection;
  readonly kind: number;
  /** How many it has seen the end of. */
  rounds: number;
}

interface IdleOwner {
  gone(connection: Connection): void;
  /** Of this kind: what its node tells over it is told to somebody. */
  isHeard(kind: number): boolean;
}

/** One that has not answered for so long is gone without a word. */
const SILENT_MS = 3_000;

export class IdleConnections implements ConnectionOwner {
  /** The one that was kept last is taken first, so that those too many grow old. */
  #idle: Idle[] = [];
  #isCounting = false;
  readonly #owner: IdleOwner;

  constructor(owner: IdleOwner) {
    this.#owner = owner;
  }

  keep(connection: Connection, kind: number): void {
    connection.handOver(this);
    this.#idle.push({ connection, kind, rounds: 0 });
    const [oldest] = this.#idle;
    if (this.#idle.length > MOST_IDLE && !this.#isTelling(oldest!))
      oldest!.connection.destroy('no longer needed');
    if (!this.#isCounting) this.#beginRound();
  }

  take(kind: number, owner: ConnectionOwner): Connection | undefined {
    const index = this.#idle.findLastIndex((one) => one.kind === kind);
    const [taken] = index === -1 ? [] : this.#idle.splice(index, 1);
    taken?.connection.handOver(owner);
    return taken?.connection;
  }

  closeAll(): void {
    for (const { connection } of this.#idle) connection.destroy('no longer needed');
  }

  /** Whether those of kinds with this bit are still there. */
  ask(bit: number, bytes: Buffer): void {
    for (const { connection, kind } of this.#idle) {
      if ((kind & bit) === 0) continue;
      if (connection.pending === 0) connection.append(null, bytes, 0, bytes.length);
      else if (connection.waitingMs(clock.now) > SILENT_MS) connection.destroy('it does not answer');
    }
  }

  #isTelling({ connection, kind }: Idle): boolean {
    return connection.isRemembered && this.#owner.isHeard(kind);
  }

  #beginRound(): void {
    this.#isCounting = true;
    setTimeout(() => this.#endRound(), ROUND_MS).unref();
  }

  #endRound(): void {
    for (const one of this.#idle) {
      const most = this.#isTelling(one) ? ROUNDS_OF_TELLING : 1;
      if (one.rounds >= most) one.connection.destroy('no longer needed');
      one.rounds += 1;
    }
    if (this.#idle.length > 0) this.#beginRound();
    else this.#isCounting = false;
  }

  opened(): void {}

  heard(): void {}

  loginRefused(): void {}

  refused(): boolean {
    return false;
  }

  lost(): void {}

  closed(connection: Connection): void {
    // Another list: who closes them all goes on in the former.
    this.#idle = this.#idle.filter((one) => one.connection !== connection);
    this.#owner.gone(connection);
  }
}
