/**
 * The connections that single clients have to an upstream, and who is about to open one.
 */
import { pauseMs } from './pause.ts';
import type { Request } from '../wire/request.ts';

interface Expiring {
  expire(now: number): void;
}

export class OwnConnections {
  readonly #connections = new Set<Expiring>();
  #trying = 0;
  readonly #waitMs: number;

  /** `waitMs`: how long a command may wait. */
  constructor(waitMs: number) {
    this.#waitMs = waitMs;
  }

  get count(): number {
    return this.#connections.size;
  }

  get isIdle(): boolean {
    return this.#connections.size === 0 && this.#trying === 0;
  }

  add(connection: Expiring): void {
    this.#connections.add(connection);
  }

  delete(connection: Expiring): void {
    this.#connections.delete(connection);
  }

  expire(now: number): void {
    for (const connection of this.#connections) connection.expire(now);
  }

  /** For who can't be served now, and tries again then; `until`: when for the last time. */
  inAMoment({ startedAt }: Request, then: () => void, until = startedAt + this.#waitMs): void {
    this.#trying += 1;
    const again = (): void => {
      this.#trying -= 1;
      then();
    };
    setTimeout(again, pauseMs(startedAt, until));
  }
}
