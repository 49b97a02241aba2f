/**
 * Whether a node may be read from, judged from what it says of itself.
 */
import type { ReplicationInfo } from './topology.ts';

/** A replica needs about a second to follow a new primary, and as long its data is as good as before. */
const LINK_GRACE_MS = 3_000;

export interface Answers {
  readonly ping: unknown;
  /** undefined: it does not say. */
  readonly replication: ReplicationInfo | undefined;
  readonly clusterInfo: unknown;
}

export interface Before {
  readonly unfit: string | undefined;
  /** It has been asked since its connection was last made. */
  readonly isProbed: boolean;
  /** For how long its shard has had a primary that may be asked, the same one; 0: it has none now. */
  readonly primaryForMs: number;
}

/** Why it serves nobody now; of one that is busy with a script its own words: they are told to who has waited for it in vain. */
export function judgePing(ping: unknown): string | undefined {
  if (!(ping instanceof Error)) return undefined;
  return /^(?:LOADING|MASTERDOWN)\b|^BUSY \w+ is busy.*/.exec(ping.message)?.[0];
}

/** undefined: fit; else why not. What can't be asked (managed services deny INFO) counts as fit. */
export function judgeFitness(answers: Answers, before: Before): string | undefined {
  const refused = judgePing(answers.ping);
  if (refused !== undefined) return refused;
  if (before.unfit === 'CLUSTERDOWN' && String(answers.clusterInfo).includes('cluster_state:fail')) {
    return 'CLUSTERDOWN';
  }
  const { replication } = answers;
  if (replication === undefined || replication.role === 'primary') return undefined;
  if (replication.isSyncing) return COPYING;
  if (replication.isLinkUp) return undefined;
  const wasFit = before.isProbed && before.unfit === undefined;
  // After a failover the link has been down since the old primary died: what counts is since when there is a new one.
  const isNew = before.primaryForMs < LINK_GRACE_MS || replication.linkDownSeconds * 1_000 < LINK_GRACE_MS;
  if (wasFit && isNew) return undefined;
  return LINK_DOWN;
}

/** Who has heard of its primary within that follows it, whatever may be read from it: Redis says whole seconds. */
const FOLLOWING_MS = 2_000;

const COPYING = 'it is copying its primary';
const LINK_DOWN = 'its link to the primary is down';
const LAGS = 'it lags';
/** With a smaller maximum a replica that lacks nothing comes and goes. */
const SPEAKS_RARELY =
  'a primary without writes speaks every repl-ping-replica-period (10 s): make that shorter than --max-lag';

/** Of a replica that is fit otherwise; `lagMs` undefined: its primary can't be asked, nobody knows of anything newer. */
export function judgeLag(
  unfitBefore: string | undefined,
  lagMs: number | undefined,
  allowedMs: number,
): string | undefined {
  const isLate = lagMs === undefined ? unfitBefore?.startsWith(LAGS) === true : lagMs > allowedMs;
  return isLate ? `${LAGS} by more than is allowed` : undefined;
}

/** Of a replica whose primary is not known here: by what it says itself. */
export function judgeLink(
  replication: ReplicationInfo | undefined,
  maxLagMs: number = Infinity,
): string | undefined {
  if (replication === undefined || replication.role === 'primary') return undefined;
  if (replication.isSyncing) return COPYING;
  if (!replication.isLinkUp) return LINK_DOWN;
  if (replication.silentSeconds * 1_000 <= maxLagMs) return undefined;
  return `${LAGS}: it has not heard of its primary for ${replication.silentSeconds} s; ${SPEAKS_RARELY}`;
}

/** Of one among servers for reads that says it is a primary: its data is that of another, if that is whom all others follow. */
export function judgePrimary(
  replication: ReplicationInfo | undefined,
  others: readonly ReplicationInfo[],
  maxLagMs?: number,
): string | undefined {
  if (replication === undefined || replication.role !== 'primary' || replication.id === '') return undefined;
  const mostMs = maxLagMs === undefined ? undefined : Math.max(maxLagMs, FOLLOWING_MS);
  const following = others.filter(
    (other) => other.role === 'replica' && other.id !== '' && judgeLink(other, mostMs) === undefined,
  );
  const isForsaken = following.length > 0 && following.every(({ id }) => id !== replication.id);
  return isForsaken ? 'it is a primary that the others do not follow' : undefined;
}
