/**
 * A command written anew, with a prefix cut off its keys.
 */
import type { RequestFrame } from '../../redis/request-frame.ts';

/** `keys`: which arguments; each loses its first `cut` bytes. */
export function rewriteKeys(
  bytes: Buffer,
  { offsets, count }: RequestFrame,
  keys: readonly number[],
  cut: number,
): Buffer {
  const parts: Buffer[] = [Buffer.from(`*${count}\r\n`)];
  const areKeys = new Set(keys);
  for (let index = 0; index < count; index++) {
    const [start, end] = [offsets[2 * index]!, offsets[2 * index + 1]!];
    const from = areKeys.has(index) ? Math.min(end, start + cut) : start;
    parts.push(Buffer.from(`$${end - from}\r\n`), bytes.subarray(from, end + 2));
  }
  return Buffer.concat(parts);
}
