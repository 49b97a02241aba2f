/**
 * A place for each shard, one of its slots, by which whoever goes through all shards in ascending order knows where it is.
 *
 * It is the first slot of the longest range; of ranges as long the last. Once told it stays as long as the slot is that
 * shard's, and goes upwards if it can where that is no longer so: a shard that gives away a slot may have another longest
 * range, or take over a longer one, and who is between the two places by then would pass it over.
 */
interface Range {
  readonly first: number;
  readonly length: number;
}

interface Told<Primary> {
  /** Whose it was. */
  readonly primary: Primary;
  /** So long it is kept where the longest range is another one. */
  readonly until: number;
}

/** Longer than it takes to go through all. Then places are again what they are at another proxy, which saw nothing change. */
const KEPT_MS = 600_000;

export class PlacesOfShards<Primary> {
  readonly #nobody: number;
  /** By place; those of who has no slots now, too. */
  #told: ReadonlyMap<number, Told<Primary>> = new Map();
  #places: readonly number[] = [];
  /** #places holds until then. */
  #until = -Infinity;

  /** `nobody`: whose slots nobody has. */
  constructor(nobody: number) {
    this.#nobody = nobody;
  }

  /** Call it when slots or primaries are others. */
  changed(): void {
    this.#until = -Infinity;
  }

  /** `slots`: which shard has each; `primaryOf`: its primary. Ascending. */
  of(slots: Uint16Array, primaryOf: (shard: number) => Primary, now: number): readonly number[] {
    if (now < this.#until) return this.#places;
    const ranges = rangesOf(slots, this.#nobody);
    const places = this.#stillTheirs(slots, ranges, primaryOf);
    const former = new Map(Array.from(this.#told, ([place, { primary }]) => [primary, place]));
    const told = new Map<number, Told<Primary>>();
    for (const [shard, its] of ranges) {
      const primary = primaryOf(shard);
      const lost = former.get(primary) ?? -1;
      const wanted = longest(its)!.first;
      const above = longest(its.filter(({ first }) => first > lost))?.first;
      const place = places.get(shard) ?? above ?? wanted;
      const until = Math.min(this.#told.get(place)?.until ?? Infinity, now + KEPT_MS);
      if (place === wanted || until <= now) told.set(wanted, { primary, until: Infinity });
      else told.set(place, { primary, until });
    }
    this.#places = [...told.keys()].sort((a, b) => a - b);
    this.#until = Math.min(...Array.from(told.values(), ({ until }) => until));
    // Who has no slots for a moment, as far as is known, gets it back.
    const seen = new Set(Array.from(told.values(), ({ primary }) => primary));
    for (const [place, { primary, until }] of this.#told) {
      if (told.has(place) || seen.has(primary) || until <= now) continue;
      told.set(place, { primary, until: Math.min(until, now + KEPT_MS) });
    }
    this.#told = told;
    return this.#places;
  }

  /** By shard: the place that its primary has, else of those that nobody has the last that is among its slots. */
  #stillTheirs(
    slots: Uint16Array,
    ranges: ReadonlyMap<number, unknown>,
    primaryOf: (shard: number) => Primary,
  ): ReadonlyMap<number, number> {
    const kept = new Map<number, number>();
    const left = new Map<number, number>();
    for (const [place, { primary }] of this.#told) {
      const shard = slots[place]!;
      if (!ranges.has(shard)) continue;
      if (primaryOf(shard) === primary) kept.set(shard, place);
      else left.set(shard, Math.max(place, left.get(shard) ?? 0));
    }
    return new Map([...left, ...kept]);
  }
}

/** Of each shard that has slots. */
function rangesOf(slots: Uint16Array, nobody: number): ReadonlyMap<number, readonly Range[]> {
  const ranges = new Map<number, Range[]>();
  for (let first = 0, end = 0; first < slots.length; first = end) {
    const shard = slots[first]!;
    while (end < slots.length && slots[end] === shard) end += 1;
    if (shard === nobody) continue;
    const its = ranges.get(shard) ?? [];
    ranges.set(shard, its);
    its.push({ first, length: end - first });
  }
  return ranges;
}

function longest(ranges: readonly Range[]): Range | undefined {
  let found: Range | undefined;
  for (const range of ranges) if (range.length >= (found?.length ?? 0)) found = range;
  return found;
}
