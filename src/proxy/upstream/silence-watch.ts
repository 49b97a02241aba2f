/**
 * Who waits too long for a reply: reads are asked of a second node, commands time out, nodes count as silent and are given up.
 */
import type { Node } from '../topology/node.ts';
import type { Connection } from '../wire/connection.ts';
import type { Request } from '../wire/request.ts';

/** A node that says nothing for so long is given up: its connections may be gone without a word. */
const GIVE_UP_MS = 30_000;

interface Watcher {
  /** Nobody else was asked since it was sent. `from`: where it waits. */
  hedge(request: Request, from: Connection): void;
  timedOut(request: Request, node: Node): void;
}

export class SilenceWatch {
  readonly #hedgeAfterMs: number;
  readonly #watcher: Watcher;
  /** What a reply may take, of the listener with the least patience. */
  #shortestTimeoutMs = Infinity;

  constructor(hedgeAfterMs: number, watcher: Watcher) {
    this.#hedgeAfterMs = hedgeAfterMs;
    this.#watcher = watcher;
  }

  expectTimeouts(timeoutMs: number): void {
    this.#shortestTimeoutMs = Math.min(this.#shortestTimeoutMs, timeoutMs);
  }

  look(node: Node, now: number): void {
    const hedgeAfterMs = this.#hedgeAfterMs;
    const patienceMs = Math.min(hedgeAfterMs, this.#shortestTimeoutMs);
    for (const connection of node.connections()) {
      const waiting = connection.waitingMs(now);
      if (waiting < patienceMs) continue;
      const silent = Math.min(waiting, connection.silentMs(now));
      if (silent > GIVE_UP_MS && !isAwaited(connection, now)) {
        connection.destroy(`no answer for ${GIVE_UP_MS} ms`);
        continue;
      }
      const isSilent = silent >= hedgeAfterMs;
      // One that is unfit is passed by already, and says so to who asks it by another connection.
      if (isSilent && node.unfit === undefined) node.update({ isSilent });
      connection.overdue(now - patienceMs, (request, sentAt) => {
        // Of a hedged read too: whoever answers later answers nobody.
        if (sentAt + request.terms.opTimeoutMs < now) {
          this.#watcher.timedOut(request, node);
        } else if (request.isRead && request.sent === 1 && sentAt + hedgeAfterMs <= now) {
          if (request.hedgedAs !== request.generation) this.#watcher.hedge(request, connection);
        }
      });
    }
  }
}

/** Some client has not waited for as long as its listener lets it. */
function isAwaited(connection: Connection, now: number): boolean {
  let isSome = false;
  connection.overdue(now, ({ terms }, sentAt) => {
    isSome ||= sentAt + terms.opTimeoutMs >= now;
  });
  return isSome;
}
