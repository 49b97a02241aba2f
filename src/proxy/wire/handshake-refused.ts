/**
 * What follows where a node refuses a command of the handshake. READONLY or AUTH refused by a node that is loading would not be
 * asked again; what else is wrong, Redis will say.
 */
import type { ConnectionOwner } from './connection-owner.ts';

/** The last one as Redis 5 says it. */
export const REFUSED_LOGIN = /^(?:WRONGPASS|NOAUTH|ERR invalid password)/;

/** Who does not know HELLO or AUTH says what it was given, a password among it. */
const GIVEN = /,? with args beginning with.*/;

/** Until it is looked again whether all is answered. */
const DRAINED_MS = 5;

interface Refused {
  readonly isClosed: boolean;
  readonly pending: number;
  /** It was not let in. */
  isLockedOut: boolean;
  destroy(problem: string): void;
}

/** Returns why, without what it was given. */
export function handshakeRefused(
  connection: Refused,
  owner: ConnectionOwner,
  bytes: Uint8Array,
  start: number,
  end: number,
): string {
  const said = Buffer.from(bytes.subarray(start + 1, end - 2)).toString('latin1');
  const why = said.replace(GIVEN, '');
  if (why.startsWith('LO')) connection.destroy('the node is loading');
  // All that is behind is refused, too, and none of it is lost.
  else if (why.startsWith('BUSY ')) endOnceAnswered(connection, 'the node was busy');
  else if (REFUSED_LOGIN.test(why)) {
    connection.isLockedOut = true;
    owner.loginRefused(why);
  }
  return why;
}

/** Or at `until`. */
export function endOnceAnswered(
  connection: Omit<Refused, 'isLockedOut'>,
  problem: string,
  until = Infinity,
): void {
  if (connection.pending === 0 || performance.now() > until) connection.destroy(problem);
  else if (!connection.isClosed)
    setTimeout(() => endOnceAnswered(connection, problem, until), DRAINED_MS).unref();
}
