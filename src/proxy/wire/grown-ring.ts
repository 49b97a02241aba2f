/**
 * The ring of those who wait on a connection, with twice as many places.
 */
export function grown<Item>(
  head: number,
  ring: readonly (Item | null)[],
  generations: Uint32Array,
  sentAt: Float64Array,
): [(Item | null)[], Uint32Array<ArrayBuffer>, Float64Array<ArrayBuffer>] {
  const size = ring.length;
  const items: (Item | null)[] = Array.from({ length: 2 * size }, () => null);
  const [theirs, times] = [new Uint32Array(2 * size), new Float64Array(2 * size)];
  // It is full.
  for (let count = 0; count < size; count++) {
    const [from, to] = [(head + count) & (size - 1), (head + count) & (2 * size - 1)];
    items[to] = ring[from]!;
    theirs[to] = generations[from]!;
    times[to] = sentAt[from]!;
  }
  return [items, theirs, times];
}
