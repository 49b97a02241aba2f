/**
 * The copies of a transaction's commands for mirrors: kept until it has been carried out, then sent one by one, since a
 * mirror's connections are shared.
 */
import { KIND, type Command } from '../../redis/command-table.ts';
import { withoutWaiting } from '../commands/blocking-copies.ts';
import { copyLocatedTo } from '../commands/keyed-copies.ts';
import { copyWithoutKeyTo, isForMirrors, type WithoutKey } from '../commands/keyless-copies.ts';
import type { Located } from '../client/locate.ts';
import { Draws, MOST_PENDING } from '../client/mirroring.ts';
import type { Destination, Routing } from '../client/routing.ts';
import type { Session } from '../client/session.ts';
import type { Upstream } from '../upstream/upstream.ts';

/** With bytes of its own. */
type Copy = { readonly command: Command; readonly located: Located } | WithoutKey;

/**
 * Longer transactions are not copied, nor those of more commands than a mirror takes at once, which would get the first of
 * them: a mirror costs bounded memory.
 */
const MAX_BYTES = 16_777_216;

export class TransactionCopies {
  #copies: Copy[] = [];
  #bytes = 0;
  #count = 0;
  /** Of its first key, which says where all of it goes. */
  #destination: Destination | undefined;
  #key: Buffer | undefined;

  keep(command: Command, location: Located): void {
    this.#destination ??= location.destination;
    if (location.destination.mirrors === null) return;
    const { bytes, from, to, keyStart, keyEnd } = location;
    this.#key ??= Buffer.from(bytes.subarray(keyStart, keyEnd));
    if (!this.#hasRoom(to - from)) return;
    // On its own it would wait, which it does not in a transaction.
    const located = command.kind === KIND.blocking ? withoutWaiting(location) : withOwnBytes(location);
    if (located !== undefined) this.#copies.push({ command, located });
  }

  /** Its mirrors are those of the transaction's keys, which may come later. */
  keepWithoutKey(what: WithoutKey, routing: Routing): void {
    if (routing.mirrors.size === 0 || this.#destination?.mirrors === null || !isForMirrors(what)) return;
    const { bytes, from, to } = what;
    if (!this.#hasRoom(to - from)) return;
    this.#copies.push({ ...what, bytes: Buffer.from(bytes.subarray(from, to)), from: 0, to: to - from });
  }

  #hasRoom(bytes: number): boolean {
    this.#bytes += bytes;
    this.#count += 1;
    const hasRoom = this.#bytes <= MAX_BYTES && this.#count <= MOST_PENDING;
    if (!hasRoom) this.#copies = [];
    return hasRoom;
  }

  /** It was carried out. */
  sendAfter(session: Session): void {
    const { routing } = session.home;
    const draws = new Draws();
    const destination = this.#destination ?? routing.catchAll;
    for (const copy of this.#copies) {
      const { mirrors } = 'located' in copy ? copy.located.destination : (destination ?? { mirrors: null });
      for (const mirror of mirrors ?? []) {
        // One that is no longer in the plan would be connected to again, and nobody would end that.
        const upstream = routing.mirrors.get(mirror.id);
        if (upstream === undefined || !draws.isCopied(copy.command, mirror)) continue;
        if ('located' in copy) copyLocatedTo(session, upstream, copy.command, copy.located);
        else this.#copyWithoutKey(session, upstream, copy, destination);
      }
    }
  }

  /** In a transaction it concerns one node, which may have everything, or a part. */
  #copyWithoutKey(
    session: Session,
    upstream: Upstream,
    what: WithoutKey,
    destination: Destination | null,
  ): void {
    if (what.plan === undefined || (destination?.upstream.primaryPlaces().length ?? 0) <= 1) {
      return copyWithoutKeyTo(session, upstream, what);
    }
    const key = this.#key;
    const { hashTags } = session.home.routing.terms;
    const place = key && upstream.placeOf(key, 0, key.length, hashTags);
    copyWithoutKeyTo(session, upstream, { ...what, plan: undefined }, place);
  }
}

function withOwnBytes(location: Located): Located {
  const { bytes, from, to, keyStart, keyEnd } = location;
  const own = Buffer.from(bytes.subarray(from, to));
  return {
    ...location,
    bytes: own,
    from: 0,
    to: own.length,
    keyStart: keyStart - from,
    keyEnd: keyEnd - from,
  };
}
