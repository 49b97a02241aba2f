/** What a proxy does where nothing else is said. */
export const PROXY_DEFAULTS = {
  hedgeAfterMs: 200,
  /** Longer than a failover takes with a node timeout of 5 s. */
  failoverWaitMs: 10_000,
  maxClients: 10_000,
  drainMs: 5_000,
} as const;
