/**
 * How a connection ends on which somebody waits: an element may have been taken out of a list for him, and be on its way.
 *
 * A node that hears that its client says nothing more ends what waits for it, and the connection; what it has said before comes
 * first. What it takes out in the very turn in which it hears that is still lost, which is far less than what was on its way.
 */
import type { Socket } from 'node:net';

/** One that does not end it by then is silent, or far behind: what it takes out of a list now is lost. */
export const LAST_WORDS_MS = 1_000;

/** `over`: it has not ended it; called also where it has. */
export function hearLastWords(socket: Socket, over: () => void): void {
  socket.end();
  // What has come until then is read first: there is a poll between two of these.
  setTimeout(() => setImmediate(() => setImmediate(over)), LAST_WORDS_MS).unref();
}
