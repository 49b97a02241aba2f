/**
 * Clients that have sent the begin of a command, and nothing since: it is kept in memory, for ever if nobody ends it.
 */
import { clock } from '../wire/turn.ts';

export const UNFINISHED_MS = 60_000;

export interface Unfinished {
  /** Takes no more for now, or for ever. */
  readonly isStopped: boolean;
  unfinished(): void;
}

/** Since when, in milliseconds; who has sent nothing for longest comes first. */
const waiting = new Map<Unfinished, number>();

export function noteUnfinished(client: Unfinished): void {
  note(client, clock.now);
}

export function noteFinished(client: Unfinished): void {
  waiting.delete(client);
}

/** Gives up who has sent nothing for too long. */
export function expireUnfinished(now: number): void {
  for (const [client, since] of waiting) {
    if (now - since < UNFINISHED_MS) return;
    // What we do not look at is not its delay.
    if (client.isStopped) {
      note(client, now);
    } else {
      waiting.delete(client);
      client.unfinished();
    }
  }
}

function note(client: Unfinished, now: number): void {
  waiting.delete(client);
  waiting.set(client, now);
}
