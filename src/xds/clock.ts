/**
 * The server's only source of time, so that tests can turn it by hand.
 */
export interface Clock {
  /** Milliseconds that only ever grow. */
  now(): number;
  /** Returns what calls it off. May call back too early, so the time has to be looked at. */
  setTimeout(callback: () => void, ms: number): () => void;
}

/** 2^31 - 1 ms, 24.8 days: above it Node's setTimeout fires after 1 ms. */
const MAX_MS = 2_147_483_647;

export const systemClock: Clock = {
  now: () => performance.now(),
  setTimeout: (callback, ms) => {
    const timer = setTimeout(callback, Math.min(ms, MAX_MS));
    return () => clearTimeout(timer);
  },
};
