/**
 * SIGUSR1 and SIGUSR2, by which operators have other servers open their logs or read their settings again: here they do
 * nothing. Without a listener the first has Node open its debugger on loopback, where whoever shares that (in a pod the
 * application) reads passwords and runs what it likes; the second ends the process, with every client's connection.
 */
import type { Logger } from 'pino';

const SIGNALS = ['SIGUSR1', 'SIGUSR2'] as const;

export function withoutUserSignals(): void {
  for (const signal of SIGNALS) process.on(signal, unheeded);
}

/** From then on. */
export function tellUserSignals(log: Pick<Logger, 'warn'>): void {
  for (const signal of SIGNALS) {
    process.on(signal, () => {
      log.warn(
        `${signal} has no effect: files are followed as they change, and the log is stderr; SIGTERM ends`,
      );
    });
  }
}

const unheeded = (): void => {};
