/**
 * How a process that serves is ended: SIGTERM by what started it, SIGINT from the keyboard, SIGHUP where its terminal is closed.
 */
import { constants } from 'node:os';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** What `/readyz` says from then on: nobody new should be sent here. */
export const STOPPING = 'it is being stopped';

type Signal = (typeof SIGNALS)[number];

/**
 * One request may come as several signals: a terminal, timeout or systemd tells all processes of a group, and who started us
 * among them hands it on.
 */
const TOGETHER_MS = 500;

/** Resolves at the first of them; another one, but for those that come with it, ends the process at once. */
export function stopAsked(togetherMs = TOGETHER_MS): Promise<void> {
  return new Promise((resolve) => {
    const asked = (): void => {
      const askedAt = performance.now();
      const again = (signal: Signal): void => {
        if (performance.now() - askedAt >= togetherMs) endBy(signal);
      };
      for (const signal of SIGNALS) {
        process.removeListener(signal, asked);
        process.on(signal, signal === 'SIGHUP' ? unheeded : again);
      }
      resolve();
    };
    for (const signal of SIGNALS) {
      process.removeListener(signal, endBy);
      process.on(signal, asked);
    }
  });
}

/** Until then: the first process of a container does not end by a signal that nobody listens to. */
export function endAsFirstProcess(): void {
  if (process.pid === 1) for (const signal of SIGNALS) process.on(signal, endBy);
}

/** A terminal that is closed sends it twice, itself and by its shell: the second one is nobody's impatience. */
const unheeded = (): void => {};

/**
 * The signal's own action waits for nothing; `process.exit` would, for a write to a pipe that nobody reads. The first
 * process of a container has no such action.
 */
function endBy(signal: Signal): void {
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
  if (process.pid !== 1) return;
  process.removeAllListeners('exit');
  process.exit(128 + constants.signals[signal]);
}

/** So long the last lines of the log may take to be read; ioredis takes 2 s for a connection that the server does not end. */
const LAST_LINES_MS = 3_000;

/** All is done: from here on only lines of the log that nobody reads can hold the process. */
export function endWithoutReader(): void {
  setTimeout(() => endBy('SIGTERM'), LAST_LINES_MS).unref();
}
