import { readFileSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';

/** The limit on a machine that does other work too: what runs beside makes everything later, about in proportion. */
export function allowFor(limitMs: number): number {
  const [load = 0] = loadavg();
  // The load is a mean over a minute, which work that has just begun is hardly in.
  return limitMs * Math.max(1, Math.max(load, runnable()) / availableParallelism());
}

/** Threads that run or wait for a processor now. */
function runnable(): number {
  try {
    return Number(/ (\d+)\/\d+ /.exec(readFileSync('/proc/loadavg', 'latin1'))?.[1] ?? 0);
  } catch {
    return 0;
  }
}
