/**
 * For lines that come again and again: each at most once a minute.
 */
const EVERY_MS = 60_000;

export class OnceAMinute {
  /** By what is told: when that was, and how often it was not since. */
  readonly #told = new Map<string, { readonly at: number; untold: number }>();

  /** How often `what` was not told since it last was; undefined: it is not to be told now. */
  due(what: string, now = performance.now()): number | undefined {
    const before = this.#told.get(what);
    if (before !== undefined && now - before.at < EVERY_MS) {
      before.untold += 1;
      return undefined;
    }
    this.#told.set(what, { at: now, untold: 0 });
    return before?.untold ?? 0;
  }
}
