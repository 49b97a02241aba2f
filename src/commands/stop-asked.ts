/**
 * How a process that serves is ended: SIGTERM by what started it, SIGINT from the keyboard, SIGHUP where its terminal is closed.
 */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

type Signal = (typeof SIGNALS)[number];

/** Resolves at the first of them; another one ends the process at once. */
export function stopAsked(): Promise<void> {
  return new Promise((resolve) => {
    const asked = (): void => {
      for (const signal of SIGNALS) {
        process.removeListener(signal, asked);
        process.on(signal, signal === 'SIGHUP' ? unheeded : endBy);
      }
      resolve();
    };
    for (const signal of SIGNALS) process.on(signal, asked);
  });
}

/** A terminal that is closed sends it twice, itself and by its shell: the second one is nobody's impatience. */
const unheeded = (): void => {};

/** The signal's own action waits for nothing; `process.exit` would, for a write to a pipe that nobody reads. */
export function endBy(signal: Signal): void {
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
}
