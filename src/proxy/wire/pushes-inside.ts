/**
 * Replies of Redis before 7.0 with pushes inside: in that of EXEC or MGET it tells what has changed or expired meanwhile. A client
 * would count them among the values that it has asked for.
 */
import { ReplyScanner } from '../../redis/reply-scanner.ts';
import type { PushHearer } from './connection-owner.ts';

const PUSH = 0x3e;
const CR = 0x0d;
/** Types with as many bytes behind their line as it says: `$`, `!` and `=`. */
const STRINGS = new Set([0x24, 0x21, 0x3d]);

/** `take` gets the reply without them; they are told behind it, which may have an older value. */
export function takeApart(
  bytes: Uint8Array,
  hearer: Pick<PushHearer, 'pushed'> | null,
  take: (reply: Buffer, length: number) => void,
): void {
  const whole = Buffer.from(bytes);
  const scanner = new ReplyScanner();
  const kept: Buffer[] = [];
  const pushes: Buffer[] = [];
  let from = 0;
  for (let at = 0; at < whole.length;) {
    const type = whole[at]!;
    if (type === PUSH && at > 0) {
      // Negative, where there is one inside of it, too.
      const behind = Math.abs(scanner.scan(whole, at, whole.length));
      kept.push(whole.subarray(from, at));
      pushes.push(whole.subarray(at, behind));
      at = from = behind;
      continue;
    }
    const line = whole.indexOf(CR, at);
    const length = STRINGS.has(type) ? Number(whole.toString('latin1', at + 1, line)) : -1;
    at = line + 2 + (length < 0 ? 0 : length + 2);
  }
  kept.push(whole.subarray(from));
  const reply = Buffer.concat(kept);
  take(reply, reply.length);
  for (const push of pushes) hearer?.pushed(push, 0, push.length);
}
