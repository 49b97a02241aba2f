/**
 * Maglev as Envoy 1.40 builds and asks it, so that both data planes find the same server for a key.
 */
import { murmurHash64, xxHash64 } from './hashes.ts';
import { hashTag } from './slots.ts';

/** Envoy's default; a prime. */
const TABLE_SIZE = 65_537;

export interface MaglevHost {
  /** What the host is placed by: its hash key, host name, or `ip:port`. */
  readonly text: string;
  readonly weight: number;
}

/** Which of `hosts` has each place of the table, by index. */
export function maglevTable(hosts: readonly MaglevHost[], size = TABLE_SIZE): Uint16Array {
  const table = new Uint16Array(size).fill(0xffff);
  const sum = hosts.reduce((total, { weight }) => total + weight, 0);
  const largest = Math.max(...hosts.map(({ weight }) => weight)) / sum;
  const builders = hosts
    .map(({ text, weight }, index) => {
      const bytes = Buffer.from(text);
      return {
        index,
        bytes,
        weight: weight / sum,
        offset: Number(xxHash64(bytes, 0n) % BigInt(size)),
        skip: Number(xxHash64(bytes, 1n) % BigInt(size - 1)) + 1,
        next: 0,
        target: 0,
      };
    })
    .sort((a, b) => Buffer.compare(a.bytes, b.bytes));
  let filled = hosts.length === 0 ? size : 0;
  for (let iteration = 1; filled < size; iteration++) {
    for (const builder of builders) {
      if (filled === size) break;
      if (iteration * builder.weight < builder.target) continue;
      builder.target += largest;
      for (;;) {
        const place = (builder.offset + builder.skip * builder.next) % size;
        builder.next += 1;
        if (table[place] !== 0xffff) continue;
        table[place] = builder.index;
        filled += 1;
        break;
      }
    }
  }
  return table;
}

/** The index of the host that has the key; `tagged`: only its hash tag decides. */
export function maglevHost(table: Uint16Array, key: Uint8Array, tagged: boolean): number {
  return table[Number(murmurHash64(tagged ? hashTag(key) : key) % BigInt(table.length))]!;
}
