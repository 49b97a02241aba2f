/**
 * A place for each shard, ascending: the first slot of its longest range. That stays while single slots come and go, so that
 * whoever goes through all shards in this order passes none over that gets, in the meantime, slots before its own; of ranges
 * as long the last, since one of three that takes over another's slots gets as many as it has.
 *
 * `slots`: which shard has each; `nobody`: none.
 */
export function placesOfShards(slots: Uint16Array, nobody: number): number[] {
  const longest = new Map<number, { readonly first: number; readonly length: number }>();
  for (let first = 0, end = 0; first < slots.length; first = end) {
    const shard = slots[first]!;
    while (end < slots.length && slots[end] === shard) end += 1;
    const length = end - first;
    if (shard !== nobody && length >= (longest.get(shard)?.length ?? 0))
      longest.set(shard, { first, length });
  }
  return Array.from(longest.values(), ({ first }) => first).sort((a, b) => a - b);
}
