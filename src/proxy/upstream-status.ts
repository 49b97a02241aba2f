/**
 * What is told of upstreams to people and metrics.
 */
export interface UpstreamStatus {
  readonly isReady: boolean;
  readonly nodes: readonly NodeStatus[];
  readonly events: Readonly<Record<string, number>>;
  /** undefined: it has no topology that changes. */
  readonly topologyAgeMs: number | undefined;
  readonly shards?: readonly ShardStatus[];
}

export interface NodeStatus {
  readonly address: string;
  readonly role: string;
  readonly state: string;
  readonly reads: number;
  readonly writes: number;
  readonly latency: readonly number[];
  /** undefined: not asked for, or it does not say. */
  readonly zone: string | undefined;
}

export interface ShardStatus {
  readonly slots: string;
  readonly primary: string;
  readonly replicas: readonly string[];
}
