/**
 * What a transaction is told that does not get to Redis, or not as a whole.
 */
import { encodeError, encodeStatus } from '../wire/encode.ts';
import type { Session } from '../client/session.ts';

const STAR = 0x2a;
const MINUS = 0x2d;

export const QUEUED = encodeStatus('QUEUED');
export const NESTED = encodeError('ERR MULTI calls can not be nested');
export const WATCH_INSIDE = encodeError('ERR WATCH inside MULTI is not allowed');
export const EMPTY = Buffer.from('*0\r\n');
export const ABORTED = encodeError('EXECABORT Transaction discarded because of previous errors.');
export const NO_EXEC = encodeError(
  "EXECABORT Transaction discarded because of: wrong number of arguments for 'exec' command",
);
export const MOVED_AWAY = encodeError(
  'TRYAGAIN The keys of this transaction have just moved to another node',
);
export const LOST = encodeError(
  'upstream failure: the connection of this transaction is lost, and nothing of it was carried out; begin it anew',
);
export const UNKNOWN = encodeError(
  'upstream failure: EXEC got no answer, so all of the transaction may have been carried out; look before you send it again',
);
export const TOO_MUCH = encodeError('ERR the commands of this transaction before its first key are too long');

/** What EXEC says where watched keys have changed. */
export function nothing({ local }: Session): Buffer {
  return Buffer.from(local.protocol === 3 ? '_\r\n' : '*-1\r\n');
}

/** `reply[start…]` is the answer to EXEC: an array where it was. */
export function isCarriedOut(reply: Uint8Array, start: number): boolean {
  return reply[start] === STAR && reply[start + 1] !== MINUS;
}
