/**
 * The connections that single clients have to an upstream, and who is about to open one.
 */
const RETRY_MS = 20;

interface Expiring {
  expire(now: number): void;
}

export class Alone {
  readonly #connections = new Set<Expiring>();
  #trying = 0;

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

  /** For who can't be served now, and tries again then. */
  inAMoment(then: () => void): void {
    this.#trying += 1;
    setTimeout(() => {
      this.#trying -= 1;
      then();
    }, RETRY_MS);
  }
}
