import { availableParallelism, loadavg } from 'node:os';

/** The limit on a machine that does other work too: what runs beside makes everything later, about in proportion. */
export function allowFor(limitMs: number): number {
  const [load = 0] = loadavg();
  return limitMs * Math.max(1, load / availableParallelism());
}
