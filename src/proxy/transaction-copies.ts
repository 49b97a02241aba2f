/**
 * The copies of a transaction's commands for mirrors: kept until it has been carried out, then sent one by one, since a
 * mirror's connections are shared.
 */
import { KIND, type Command } from '../redis/command-table.ts';
import type { Location } from './locate.ts';
import type { MirrorDestination, Routing } from './routing.ts';
import type { Session } from './session.ts';

interface Copy {
  readonly command: Command;
  readonly mirrors: readonly MirrorDestination[];
  readonly bytes: Buffer;
  /** The key that decides. */
  readonly start: number;
  readonly end: number;
}

/** Longer transactions are not copied: a mirror costs bounded memory. */
const MAX_BYTES = 16_777_216;
const STAR = 0x2a;
const MINUS = 0x2d;

export class TransactionCopies {
  #copies: Copy[] = [];
  #bytes = 0;
  #routing: Routing | undefined;

  /** `routing`: where it was located. */
  keep(command: Command, location: Location & { readonly kind: 'keyed' }, routing: Routing): void {
    const { destination, bytes, from, to, keyStart, keyEnd } = location;
    // On its own it would wait, which it does not in a transaction.
    if (destination.mirrors === null || command.kind === KIND.blocking) return;
    this.#bytes += to - from;
    if (this.#bytes > MAX_BYTES) {
      this.#copies = [];
      return;
    }
    this.#routing ??= routing;
    this.#copies.push({
      command,
      mirrors: destination.mirrors,
      bytes: Buffer.from(bytes.subarray(from, to)),
      start: keyStart - from,
      end: keyEnd - from,
    });
  }

  /** `reply[start…]` is the answer to EXEC: an array where it was carried out. */
  sendAfter(session: Session, reply: Uint8Array, start: number): void {
    if (reply[start] !== STAR || reply[start + 1] === MINUS) return;
    // A mirror that is no longer in the plan would be connected to again, and nobody would end that.
    if (this.#routing !== session.home.routing) return;
    /** Whether a mirror gets this transaction, whole or not at all. */
    const draws = new Map<MirrorDestination, boolean>();
    const isDrawn = (mirror: MirrorDestination): boolean => {
      const drawn = draws.get(mirror) ?? Math.random() * 100 < mirror.percentage;
      draws.set(mirror, drawn);
      return drawn;
    };
    for (const { command, mirrors, bytes, start: from, end } of this.#copies) {
      const chosen = mirrors.filter(isDrawn).map((mirror) => ({ ...mirror, percentage: 100 }));
      session.mirror(chosen, command, bytes, 0, bytes.length, bytes, from, end);
    }
  }
}
