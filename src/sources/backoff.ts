/**
 * How long to wait before the next attempt: twice as long each time, with jitter, so that many who lost the same server
 * do not come back at once.
 */
const FIRST_MS = 800;
const LONGEST_MS = 15_000;

export class Backoff {
  readonly #random: () => number;
  #nextMs = FIRST_MS;

  constructor(random: () => number = Math.random) {
    this.#random = random;
  }

  next(): number {
    const ms = this.#nextMs;
    this.#nextMs = Math.min(LONGEST_MS, ms * 2);
    return Math.round(ms * (1 + this.#random()));
  }

  reset(): void {
    this.#nextMs = FIRST_MS;
  }
}
