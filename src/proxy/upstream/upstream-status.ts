/**
 * What is told of upstreams to people and metrics.
 */
import { LATENCY_BUCKETS } from '../wire/latency.ts';
import type { Node } from '../topology/node.ts';
import { addUp, type NodeCounts, type Role, type RoleCounts } from '../topology/role-counts.ts';
import type { Shard } from '../topology/shard.ts';
import type { ShardPlace } from '../topology/topology.ts';

export interface UpstreamStatus {
  readonly isReady: boolean;
  /** Why it is not known where to send what, or why nothing can be sent; undefined: nothing is wrong. */
  readonly problem: string | undefined;
  readonly nodes: readonly NodeStatus[];
  readonly events: Readonly<Record<string, number>>;
  /** undefined: it has no topology that changes. */
  readonly topologyAgeMs: number | undefined;
  readonly shards?: readonly ShardStatus[];
  /** Members of the cluster that its map leaves out, as one that has failed, by address: what the cluster says of each. */
  readonly unlisted?: Readonly<Record<string, string>> | undefined;
}

/** With what was counted in whichever role. */
export interface NodeStatus extends NodeCounts {
  readonly address: string;
  readonly role: Role;
  readonly countsByRole: RoleCounts;
  /** It is fit for what its role and the read policy say. */
  readonly isUp: boolean;
  /** Why it gets less than others, if it does. */
  readonly state: string;
  /** How many replies took at most so long, each counted once: '1', '2', '4', … and 'more'; as errors, of shared connections. */
  readonly repliesWithinMs: Readonly<Record<string, number>>;
  /** All of them together. */
  readonly repliesTookMs: number;
  /** undefined: not asked for, or it does not say. */
  readonly zone: string | undefined;
}

export interface ShardStatus {
  readonly slots: string;
  readonly primary: string;
  readonly replicas: readonly string[];
  /** Why reads of it fail; undefined: nothing is wrong. */
  readonly problem: string | undefined;
}

/** `place`: where the topology has it. */
export function shardStatus(
  { primary, replicas }: Shard,
  place: ShardPlace | undefined,
  problem: string | undefined,
): ShardStatus {
  return {
    slots: (place?.ranges ?? []).map((range) => range.join('-')).join(' '),
    primary: primary.address,
    replicas: replicas.map(({ address }) => address),
    problem,
  };
}

export function statusOf(node: Node): NodeStatus {
  const { address, role, isUsable, refusal, state, latency, zone } = node;
  const countsByRole = node.counts();
  return {
    address,
    role,
    ...addUp(countsByRole.primary, countsByRole.replica),
    countsByRole,
    isUp: isUsable && refusal === undefined,
    state,
    repliesWithinMs: repliesWithin(latency),
    repliesTookMs: latency[LATENCY_BUCKETS]!,
    zone,
  };
}

/** `latency`: as a connection counts it. */
function repliesWithin(latency: Float64Array): Readonly<Record<string, number>> {
  const counts = [...latency.subarray(0, LATENCY_BUCKETS)];
  return Object.fromEntries(
    counts.map((count, at) => [at === LATENCY_BUCKETS - 1 ? 'more' : String(2 ** at), count]),
  );
}
