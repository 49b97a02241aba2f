/**
 * How long others are waited for. While this process stood still nobody was late: what has come meanwhile is read only once
 * the timers that are over have been called.
 */
const LATE_MS = 50;

/** Calls `over` after `ms`, or as much later where nobody listened when they were over. Returns how to take it back. */
export function patience(ms: number, over: () => void): () => void {
  const due = performance.now() + ms;
  let timer = setTimeout(() => {
    if (performance.now() - due < LATE_MS) over();
    else timer = setTimeout(over, ms);
  }, ms);
  return () => clearTimeout(timer);
}
