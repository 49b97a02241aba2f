/**
 * An immutable map whose copies share what did not change.
 *
 * Two levels: a change among 10,000 objects copies two arrays of 128 references and one shard of a few keys, not the map.
 * That is what keeps the cost of one changed object independent of how many there are.
 */
const WIDTH = 128;

type Shard<V> = ReadonlyMap<string, V>;
type Row<V> = readonly (Shard<V> | undefined)[];

export class PersistentMap<V> {
  readonly #rows: readonly (Row<V> | undefined)[];
  readonly size: number;

  private constructor(rows: readonly (Row<V> | undefined)[], size: number) {
    this.#rows = rows;
    this.size = size;
  }

  static empty<V>(): PersistentMap<V> {
    return new PersistentMap<V>(Array.from({ length: WIDTH }), 0);
  }

  get(key: string): V | undefined {
    const place = placeOf(key);
    return this.#rows[rowOf(place)]?.[shardOf(place)]?.get(key);
  }

  /** A copy with these keys set, or removed where the value is undefined. */
  with(updates: ReadonlyMap<string, V | undefined>): PersistentMap<V> {
    if (updates.size === 0) return this;
    const rows = this.#rows.slice();
    const copiedRows = new Map<number, (Shard<V> | undefined)[]>();
    const copied = new Map<number, Map<string, V>>();
    let size = this.size;
    for (const [key, value] of updates) {
      const place = placeOf(key);
      let shard = copied.get(place);
      if (shard === undefined) {
        const at = rowOf(place);
        let row = copiedRows.get(at);
        if (row === undefined) {
          row = rows[at]?.slice() ?? Array.from({ length: WIDTH });
          copiedRows.set(at, row);
          rows[at] = row;
        }
        shard = new Map(row[shardOf(place)]);
        copied.set(place, shard);
        row[shardOf(place)] = shard;
      }
      size -= shard.size;
      if (value === undefined) shard.delete(key);
      else shard.set(key, value);
      size += shard.size;
    }
    return new PersistentMap(rows, size);
  }

  *values(): Iterable<V> {
    for (const row of this.#rows) {
      for (const shard of row ?? []) {
        if (shard !== undefined) yield* shard.values();
      }
    }
  }
}

const rowOf = (place: number): number => Math.floor(place / WIDTH);
const shardOf = (place: number): number => place % WIDTH;

/** FNV-1a over UTF-16 units: even enough for names that differ in a digit. */
function placeOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < key.length; at++) {
    hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193);
  }
  return (hash >>> 0) % (WIDTH * WIDTH);
}
