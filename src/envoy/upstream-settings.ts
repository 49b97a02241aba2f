/**
 * How Envoy watches a Redis Cluster: what a dead, hung or slow node costs, and what idle sidecars cost Redis.
 *
 * The figures behind each value are in docs/envoy-settings.md, from `npm run bench -- failover`, `slow-command` and
 * `idle-load`.
 */

/** Active health check: PING to each node. Sees hung nodes, and takes recovered ones back. */
export const HEALTH_CHECK = {
  intervalMs: 500,
  /** Hardly ever in force: Envoy counts its own topology requests as traffic (1.40; `idle-load` shows it). */
  noTrafficIntervalMs: 5_000,
  timeoutMs: 500,
  unhealthyThreshold: 1,
  healthyThreshold: 1,
} as const;

/** Passive: the first failed connection or timeout takes a node out, so that a dead one costs about one read. */
export const EJECTION = {
  intervalMs: 500,
  baseMs: 2_000,
  maxMs: 5_000,
  /** Envoy's default of 10 % would eject nobody among nine nodes. */
  maxPercent: 100,
} as const;

/** Discovery by CLUSTER SLOTS. */
export const TOPOLOGY = {
  refreshMs: 1_000,
  /** A request to a hung node blocks the next one for as long. */
  timeoutMs: 500,
  /** At most one triggered refresh in this time. */
  triggeredIntervalMs: 500,
} as const;
