/**
 * How a process that serves is ended.
 */
type Signal = 'SIGINT' | 'SIGTERM';

/** Resolves at the first SIGINT or SIGTERM; a second one ends the process at once. */
export function stopAsked(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => {
        process.once(signal, () => endBy(signal));
        resolve();
      });
    }
  });
}

/** The signal's own action waits for nothing; `process.exit` would, for a write to a pipe that nobody reads. */
export function endBy(signal: Signal): void {
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
}
