/**
 * Time that passes when a test says so: clock, timers and turns of the event loop of this thread, for code that does not wait
 * for promises.
 */
const BEGIN_MS = 1_000_000;

interface Timer {
  readonly at: number;
  readonly act: () => void;
}

export class VirtualTime {
  now = BEGIN_MS;
  #immediates: (() => void)[] = [];
  readonly #timers = new Set<Timer>();

  /** Calls `act` in this time; what is left to do of that then is not done. */
  static run<T>(act: (time: VirtualTime) => T): T {
    const time = new VirtualTime();
    const { setTimeout, clearTimeout, setImmediate } = globalThis;
    const now = performance.now.bind(performance);
    Object.assign(globalThis, {
      setTimeout: (act: () => void, ms: number) => time.#setTimeout(act, ms),
      clearTimeout: (timer: Timer | undefined) => void (timer && time.#timers.delete(timer)),
      setImmediate: (act: () => void) => void time.#immediates.push(act),
    });
    performance.now = () => time.now;
    try {
      return act(time);
    } finally {
      // Modules that have begun a turn wait for its end.
      time.endTurn();
      Object.assign(globalThis, { setTimeout, clearTimeout, setImmediate });
      performance.now = now;
    }
  }

  #setTimeout(act: () => void, ms: number): Timer & { unref: () => void } {
    const timer = { at: this.now + ms, act, unref: () => {} };
    this.#timers.add(timer);
    return timer;
  }

  /** All that was put off to the end of this turn is done, and what it puts off. */
  endTurn(): void {
    while (this.#immediates.length > 0) for (const act of this.#immediates.splice(0)) act();
  }

  advance(ms: number): void {
    const until = this.now + ms;
    for (;;) {
      this.endTurn();
      const next = [...this.#timers].reduce<Timer | undefined>(
        (first, timer) => (first === undefined || timer.at < first.at ? timer : first),
        undefined,
      );
      if (next === undefined || next.at > until) break;
      this.#timers.delete(next);
      this.now = Math.max(this.now, next.at);
      next.act();
    }
    this.now = until;
  }
}
