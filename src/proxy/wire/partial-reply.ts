/**
 * A reply whose begin has come before: takes in what has come now, up to its end.
 */
import type { ReplyScanner } from '../../redis/reply-scanner.ts';
import { STEP_BYTES, type Partial } from './partial.ts';

/**
 * As long as a command may be: twice what Redis has in one string. Of a reply all is kept until its end is there, of one that
 * is put together all parts, and a node that sends no end must not take the memory of all. (A field, for tests.)
 */
export const longestReply = { bytes: 1_073_741_824 };

export const TOO_LONG = -2;

/** Where it ends in the bytes of `partial`, as the scanner has it; or TOO_LONG: it is, or will be. */
export function completeReply(
  partial: Partial,
  scanner: ReplyScanner,
  bytes: Buffer,
  length: number,
): number {
  for (let taken = 0; taken < length;) {
    const missing = Math.max(STEP_BYTES, scanner.missingBytes(partial.length));
    if (partial.length + missing > longestReply.bytes) return TOO_LONG;
    const next = Math.min(length, taken + missing);
    partial.append(bytes, taken, next, partial.length + missing);
    taken = next;
    const end = scanner.scan(partial.bytes, 0, partial.length);
    if (end !== 0) return end;
  }
  return 0;
}
