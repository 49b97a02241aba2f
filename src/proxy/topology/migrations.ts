/**
 * Slots on their way from one primary to another, as far as is known.
 *
 * Replicas of Redis 7.0 know nothing of it and say nil for keys that have moved already. So reads of a slot that is known
 * to move go to its primary, and while any moves, or did lately, what a replica does not have is looked for at its primary.
 */
import type { Node } from './node.ts';
import type { Shard } from './shard.ts';

/** After the last sign: the next slot of a resharding may be on its way. */
const DOUBT_MS = 10_000;

export class Migrations {
  readonly slots = new Set<number>();
  #until = -Infinity;

  get isUnderWay(): boolean {
    return performance.now() < this.#until;
  }

  /** What a primary says of its own slots; `isOwn`: which those are. True: some no longer move. */
  noteSlots(slots: readonly number[], isOwn: (slot: number) => boolean): boolean {
    const before = [...this.slots].filter(isOwn);
    for (const slot of before) this.slots.delete(slot);
    for (const slot of slots) this.slots.add(slot);
    return before.some((slot) => !this.slots.has(slot));
  }

  /** Something shows that slots move. */
  noteSign(): void {
    this.#until = performance.now() + DOUBT_MS;
  }

  /** Call it when one of these, or the time, or a shard has changed. */
  doubtReplicas(shards: readonly Shard[]): void {
    const { isUnderWay } = this;
    for (const { primary, replicas } of shards) {
      primary.doubt(false);
      // One that was not asked has not said which slots move.
      const isDoubted = isUnderWay || (primary.isUsable && !primary.isProbed);
      for (const replica of replicas) replica.doubt(isDoubted);
    }
  }
}

/** Some slot went from one primary to another that both still are: no failover. `slots`: which shard each is of. */
export function haveSlotsMoved(
  before: { readonly shards: readonly Shard[]; readonly slots: Uint16Array },
  now: { readonly shards: readonly Shard[]; readonly slots: Uint16Array },
): boolean {
  const were = before.shards.map(({ primary }) => primary);
  const are = now.shards.map(({ primary }) => primary);
  return now.slots.some((index, slot) => {
    const was = were[before.slots[slot]!];
    const is = are[index];
    return was !== is && was !== undefined && is !== undefined && are.includes(was) && were.includes(is);
  });
}

/** Nodes of shards that have given all their slots to others: none of their replicas has taken the place of its primary. */
export function emptiedNodes(before: readonly Shard[], now: readonly Shard[]): ReadonlySet<Node> {
  const are = new Set(now.map(({ primary }) => primary));
  const emptied = before.filter(
    (shard) => !are.has(shard.primary) && !shard.replicas.some((node) => are.has(node)),
  );
  return new Set(emptied.flatMap(({ primary, replicas }) => [primary, ...replicas]));
}
