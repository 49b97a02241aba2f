/**
 * How old a replica's data may be: Redis tells offsets of the replication stream, not times. What a primary's offset was,
 * and when, says of a replica that has come so far that it has everything its primary had at that time.
 */
import type { ReplicationInfo } from './topology.ts';

interface Sample {
  readonly at: number;
  readonly offset: number;
}

const LONGEST_MS = 1_000;
const SHORTEST_MS = 100;

/** Told once of an upstream: its nodes are mostly alike in that. */
export function withoutLag(address: string): string {
  return `${address} does not answer INFO replication, so --max-lag does not hold there, nor at others that do not; let its user run INFO`;
}

/** How often nodes are asked: what a replica is judged by grows as old as that before it is judged again. */
export function askingEveryMs(maxLagMs: number | undefined): number {
  return maxLagMs === undefined ? LONGEST_MS : Math.max(SHORTEST_MS, Math.min(LONGEST_MS, maxLagMs / 4));
}

/** Of one primary. */
export class PrimaryOffsets {
  readonly #keptMs: number;
  /** The oldest first. */
  #samples: Sample[] = [];
  #said: ReplicationInfo | undefined;

  constructor(maxLagMs: number) {
    this.#keptMs = 2 * maxLagMs;
  }

  /** `askedAt`: before the primary said it, so that what follows is on the safe side. */
  note(said: ReplicationInfo, askedAt: number): void {
    // The map may be old: how far a replica is says nothing of how far others should be.
    if (said.role === 'replica') return;
    if (said.id !== this.#said?.id) this.#samples = [];
    this.#said = said;
    // Of times with the same offset the last one says most.
    if (this.#samples.at(-1)?.offset === said.offset) this.#samples.pop();
    this.#samples.push({ at: askedAt, offset: said.offset });
    this.#samples = this.#samples.filter(({ at }) => at > askedAt - this.#keptMs);
  }

  /** At most so old is what the replica has; Infinity: more than can be told, or another history. */
  lagOf(replica: ReplicationInfo, now: number): number {
    const said = this.#said;
    if (said === undefined) return Infinity;
    // A replica that has not found the new primary yet shares its history up to the promotion.
    const isFormer = replica.id === said.formerId && replica.offset < said.formerUntil;
    if (replica.id !== said.id && !isFormer) return Infinity;
    const had = this.#samples.findLast(({ offset }) => offset <= replica.offset);
    return had === undefined ? Infinity : now - had.at;
  }
}
