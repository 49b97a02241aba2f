/**
 * A place for each shard, one of its slots, by which whoever goes through all shards in ascending order knows where it is,
 * also at another proxy: the last slot of its last range. Slots that it gets, however many, leave it there or bring it
 * further, so that it is not passed over; of those that it gives away only the last matter, and tools take the first.
 * Ranges of a few slots, which come and go, do not count where there are longer ones.
 */
const FEW = 16;

/** `slots`: which shard has each; `nobody`: none. */
export function placesOfShards(slots: Uint16Array, nobody: number): number[] {
  const places = new Map<number, number>();
  const last = new Map<number, number>();
  for (let first = 0, end = 0; first < slots.length; first = end) {
    const shard = slots[first]!;
    while (end < slots.length && slots[end] === shard) end += 1;
    if (shard === nobody) continue;
    last.set(shard, end - 1);
    if (end - first >= FEW) places.set(shard, end - 1);
  }
  return Array.from(last, ([shard, slot]) => places.get(shard) ?? slot).sort((a, b) => a - b);
}
