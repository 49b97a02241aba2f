/**
 * Whether a node may be read from, judged from what it says of itself.
 */
import { parseReplication } from './topology.ts';

/** A replica that lost its primary in a failover needs about a second to follow the new one; its data is as good as before. */
const LINK_GRACE_SECONDS = 3;

export interface Answers {
  readonly ping: unknown;
  readonly replication: unknown;
  readonly clusterInfo: unknown;
}

export interface Before {
  readonly unfit: string | undefined;
  /** It has been asked since its connection was last made. */
  readonly isProbed: boolean;
  /** Of its shard. */
  readonly isPrimaryUsable: boolean;
}

/** undefined: fit; else why not. What can't be asked (managed services deny INFO) counts as fit. */
export function judgeFitness(answers: Answers, before: Before): string | undefined {
  const refused = answers.ping instanceof Error ? /^(LOADING|MASTERDOWN)\b/.exec(answers.ping.message) : null;
  if (refused !== null) return refused[1];
  if (before.unfit === 'CLUSTERDOWN' && String(answers.clusterInfo).includes('cluster_state:fail')) {
    return 'CLUSTERDOWN';
  }
  const replication = parseReplication(answers.replication);
  if (replication === undefined || replication.role === 'primary') return undefined;
  if (replication.isSyncing) return 'it is copying its primary';
  if (replication.isLinkUp) return undefined;
  const wasFit = before.isProbed && before.unfit === undefined;
  if (wasFit && (!before.isPrimaryUsable || replication.linkDownSeconds < LINK_GRACE_SECONDS)) {
    return undefined;
  }
  return 'its link to the primary is down';
}
