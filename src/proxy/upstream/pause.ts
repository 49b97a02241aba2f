/**
 * How long until something is tried again of which nobody tells that it can be done by now.
 */
const LEAST_MS = 20;
/** Of the time that it has waited: by so much it may wait longer than it has to. */
const SHARE = 0.1;

/** Timers may be early by so much. */
const BEHIND_MS = 2;

/** `since` when it waits, and `until` when it may: the last look comes behind that, and finds it over. */
export function pauseMs(since: number, until: number): number {
  const now = performance.now();
  return Math.min(Math.max(LEAST_MS, (now - since) * SHARE), Math.max(1, until - now + BEHIND_MS));
}
