/**
 * A reply whose begin has come before: takes in what has come now, up to its end.
 */
import type { ReplyScanner } from '../../redis/reply-scanner.ts';
import { STEP_BYTES, type Partial } from './partial.ts';

/** Where it ends in the bytes of `partial`; 0: more must come, -1: it is no RESP. */
export function completeReply(
  partial: Partial,
  scanner: ReplyScanner,
  bytes: Buffer,
  length: number,
): number {
  for (let taken = 0; taken < length;) {
    const next = Math.min(length, taken + Math.max(STEP_BYTES, scanner.missingBytes(partial.length)));
    partial.append(bytes, taken, next);
    taken = next;
    const end = scanner.scan(partial.bytes, 0, partial.length);
    if (end !== 0) return end;
  }
  return 0;
}
