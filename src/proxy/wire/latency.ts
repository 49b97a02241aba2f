/**
 * How long replies took, as plain numbers. Tight: each reply is noted.
 */

/** The first: less than 1 ms; each further one twice as much; the last: all that is longer than 4 s. */
export const LATENCY_BUCKETS = 14;
/** Behind the buckets: the milliseconds of all together. */
export const LATENCY_NUMBERS = LATENCY_BUCKETS + 1;

/** `tookMs`: whole milliseconds. */
export function noteReply(latency: Float64Array, tookMs: number): void {
  const bucket = 32 - Math.clz32(tookMs);
  latency[bucket < LATENCY_BUCKETS ? bucket : LATENCY_BUCKETS - 1]! += 1;
  latency[LATENCY_BUCKETS]! += tookMs;
}
