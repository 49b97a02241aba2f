/**
 * What is told of upstreams to people and metrics.
 */
import type { Node } from './node.ts';

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
  /** Error replies that were handed on, over connections that clients share. */
  readonly errors: { readonly read: number; readonly write: number };
  /** How many replies took at most so long, each counted once: '1', '2', '4', … and 'more'. */
  readonly repliesWithinMs: Readonly<Record<string, number>>;
  /** undefined: not asked for, or it does not say. */
  readonly zone: string | undefined;
}

export interface ShardStatus {
  readonly slots: string;
  readonly primary: string;
  readonly replicas: readonly string[];
}

/** Of a node of which nothing else is known. */
export function statusOf({ address, state, reads, writes, errors, latency, zone }: Node): NodeStatus {
  return {
    address,
    role: 'primary',
    state,
    reads,
    writes,
    errors: { ...errors },
    repliesWithinMs: repliesWithin(latency),
    zone,
  };
}

/** `latency`: as a connection counts it. */
export function repliesWithin(latency: Float64Array): Readonly<Record<string, number>> {
  const last = latency.length - 1;
  return Object.fromEntries([...latency].map((count, at) => [at === last ? 'more' : String(2 ** at), count]));
}
