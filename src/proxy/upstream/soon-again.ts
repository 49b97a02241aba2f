/**
 * Does something again in a moment, as often as it is asked to: what takes longer comes less often.
 */
const LEAST_MS = 2;
const MOST_MS = 50;
/** What it may take of the time. */
const SHARE = 0.1;

export class SoonAgain {
  readonly #then: () => void;
  #isTimed = false;
  #afterMs = LEAST_MS;

  constructor(then: () => void) {
    this.#then = then;
  }

  ask(): void {
    if (this.#isTimed) return;
    this.#isTimed = true;
    setTimeout(() => {
      this.#isTimed = false;
      const before = performance.now();
      this.#then();
      this.#afterMs = Math.min(MOST_MS, Math.max(LEAST_MS, (performance.now() - before) / SHARE));
    }, this.#afterMs).unref();
  }
}
