/**
 * The server's only source of time, so that tests can turn it by hand.
 */
export interface Clock {
  /** Milliseconds that only ever grow. */
  now(): number;
  /** Returns what calls it off. */
  setTimeout(callback: () => void, ms: number): () => void;
}

export const systemClock: Clock = {
  now: () => performance.now(),
  setTimeout: (callback, ms) => {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};
