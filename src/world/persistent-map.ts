/**
 * An immutable map whose copies share what did not change.
 *
 * A change among 10,000 keys copies one array of shard references and the touched shards (about 10 keys each), not the
 * map: that is what keeps the cost of one changed object independent of how many there are.
 */
const SHARDS = 1_024;

type Shard<V> = ReadonlyMap<string, V>;

export class PersistentMap<V> {
  readonly #shards: readonly (Shard<V> | undefined)[];
  readonly size: number;

  private constructor(shards: readonly (Shard<V> | undefined)[], size: number) {
    this.#shards = shards;
    this.size = size;
  }

  static empty<V>(): PersistentMap<V> {
    return new PersistentMap<V>(Array.from({ length: SHARDS }), 0);
  }

  get(key: string): V | undefined {
    return this.#shards[shardOf(key)]?.get(key);
  }

  /** A copy with these keys set, or removed where the value is undefined. */
  with(updates: ReadonlyMap<string, V | undefined>): PersistentMap<V> {
    const shards = [...this.#shards];
    const copied = new Map<number, Map<string, V>>();
    let size = this.size;
    for (const [key, value] of updates) {
      const index = shardOf(key);
      let shard = copied.get(index);
      if (shard === undefined) {
        shard = new Map(shards[index]);
        copied.set(index, shard);
        shards[index] = shard;
      }
      size -= shard.size;
      if (value === undefined) shard.delete(key);
      else shard.set(key, value);
      size += shard.size;
    }
    return new PersistentMap(shards, size);
  }

  *values(): Iterable<V> {
    for (const shard of this.#shards) {
      if (shard !== undefined) yield* shard.values();
    }
  }
}

/** FNV-1a over UTF-16 units: even enough for names that differ in a digit. */
function shardOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < key.length; at++) {
    hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193);
  }
  return (hash >>> 0) % SHARDS;
}
