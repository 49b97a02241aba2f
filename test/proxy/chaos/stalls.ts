/**
 * For how long this process, which clients, nodes and proxy have in common, was not listening: on a busy machine it has its turn
 * seldom, and what any of them says reaches the others late.
 */
const EVERY_MS = 20;
const KEPT_MS = 60_000;

const stalls: { readonly at: number; readonly ms: number }[] = [];
let lookedAt = performance.now();

setInterval(() => {
  const now = performance.now();
  const ms = now - lookedAt - EVERY_MS;
  lookedAt = now;
  if (ms > 0) stalls.push({ at: now, ms });
  while (stalls[0] !== undefined && stalls[0].at < now - KEPT_MS) stalls.shift();
}, EVERY_MS).unref();

export function stalledSince(at: number): number {
  return stalls.reduce((sum, stall) => sum + (stall.at > at ? stall.ms : 0), 0);
}
