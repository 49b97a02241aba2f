/**
 * What each connected node has: by type, what was sent, what was acknowledged, and what was refused and why.
 */
import { TYPE_URLS } from '../envoy/resource.ts';
import type { StreamState } from './live-stream.ts';
import { typeWord } from './metrics.ts';
import type { SubscriptionState } from './subscription.ts';

/**
 * SYNCED: the node has answered everything, and refuses nothing that is still served. STALE: it has not answered the newest
 * response yet (Envoy withholds its answer while a Redis that it does not reach keeps a cluster warming). REJECTED: it
 * refused something, which is still so.
 */
export type SyncState = 'SYNCED' | 'STALE' | 'REJECTED';

export interface TypeStatus {
  /** `clusters`, `endpoints`, `listeners`. */
  readonly type: string;
  readonly state: SyncState;
  /** Version; null where nothing was sent, since the node had everything or there is nothing. */
  readonly sent: string | null;
  readonly acknowledged: string | null;
  /** The node's words, without the contents of resources. */
  readonly reason?: string;
}

export interface NodeStatus {
  readonly node: string;
  readonly namespace: string | null;
  /** Version of Envoy. */
  readonly version: string | null;
  readonly peer: string;
  readonly variant: string;
  readonly types: readonly TypeStatus[];
}

/** Sorted by node; two connections of one node are two entries. */
export function syncStatus(states: readonly StreamState[]): readonly NodeStatus[] {
  const nodes = new Map<string, NodeStatus & { readonly types: TypeStatus[] }>();
  for (const state of states) {
    const { node, namespace = null, version = null, peer, variant } = state;
    const key = JSON.stringify([node, peer, variant]);
    const entry = nodes.get(key) ?? { node, namespace, version, peer, variant, types: [] };
    nodes.set(key, entry);
    entry.types.push(typeStatus(state));
  }
  const order = new Map(TYPE_URLS.map((typeUrl, index) => [typeWord(typeUrl), index]));
  for (const { types } of nodes.values()) {
    types.sort((a, b) => (order.get(a.type) ?? 0) - (order.get(b.type) ?? 0));
  }
  return [...nodes.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, entry]) => entry);
}

function typeStatus(subscription: SubscriptionState): TypeStatus {
  const { typeUrl, sentVersion, acknowledgedVersion, isAnswered, rejection } = subscription;
  const versions = { sent: sentVersion ?? null, acknowledged: acknowledgedVersion ?? null };
  const type = typeWord(typeUrl);
  if (rejection !== undefined) return { type, state: 'REJECTED', ...versions, reason: rejection };
  return { type, state: isAnswered ? 'SYNCED' : 'STALE', ...versions };
}
