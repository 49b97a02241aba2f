/**
 * CONFIG GET tells Redis' passwords to whoever may ask. Those are the proxy's: its clients have others, or none.
 */
import { handOn, inFrontOf } from '../wire/reply-sink.ts';
import type { Request } from '../wire/request.ts';

/** Of Redis 7 and 8 and Valkey 9. */
const PASSWORDS = new Set([
  'requirepass',
  'masterauth',
  'primaryauth',
  'tls-key-file-pass',
  'tls-client-key-file-pass',
]);
const DOLLAR = 0x24;
const EMPTY = Buffer.from('$0\r\n\r\n');

/** Before it is sent. */
export function hidePasswords(request: Request): void {
  const sink = request.sink!;
  request.sink = inFrontOf(sink, (answered, bytes, start, end) => {
    handOn(sink, answered, withoutPasswords(Buffer.from(bytes.subarray(start, end))));
  });
}

/** A list or map of names and values, with nothing for a value that is a password; what is no such list stays what it is. */
export function withoutPasswords(reply: Buffer): Buffer {
  const behindHead = reply.indexOf('\r\n') + 2;
  const parts = [reply.subarray(0, behindHead)];
  let name: string | undefined;
  for (let at = behindHead; at < reply.length;) {
    const line = reply.indexOf('\r\n', at);
    if (reply[at] !== DOLLAR || line < 0) return reply;
    const next = line + 2 + Number(reply.toString('latin1', at + 1, line)) + 2;
    if (!(next > line + 2)) return reply;
    const isHidden = name !== undefined && PASSWORDS.has(name);
    parts.push(isHidden ? EMPTY : reply.subarray(at, next));
    name = name === undefined ? reply.toString('latin1', line + 2, next - 2).toLowerCase() : undefined;
    at = next;
  }
  return Buffer.concat(parts);
}
