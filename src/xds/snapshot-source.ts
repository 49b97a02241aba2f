/**
 * The two ends of the xDS server: where its snapshots come from, and what the nodes said of them.
 */
import type { TypeUrl } from '../envoy/resource.ts';
import type { Snapshot } from '../envoy/resource-set.ts';

/** A connected xDS client, as it names itself in the first request of its stream. */
export interface XdsNode {
  readonly id: string;
  readonly cluster: string;
  /** node.metadata as plain JSON. */
  readonly metadata: Readonly<Record<string, unknown>>;
  /** Envoy's: `1.40.0`; undefined where the client does not say, or is no Envoy. */
  readonly version: string | undefined;
  /** It carries nothing out: what it answers says nothing of any proxy. */
  readonly isOnlooker: boolean;
}

/** Where the server takes its snapshots from. */
export interface SnapshotSource {
  /**
   * The newest snapshot for that node; undefined while the sources are not complete (nothing is sent then).
   * The same object as before means: nothing changed for that node.
   */
  snapshotFor(node: XdsNode): Snapshot | undefined;
  /** Calls back after each change of any snapshot; returns what ends it. */
  onChange(callback: () => void): () => void;
}

/** What a node made of one version of a resource; `pending`: it has not been sent it, or not answered yet. */
export type ResourceOutcome =
  | { readonly kind: 'accepted' }
  | { readonly kind: 'pending' }
  /** The node's own words: on that resource, where it says which it means. */
  | { readonly kind: 'rejected'; readonly message: string };

/** One stream of a node. */
export interface NodeStream {
  readonly node: XdsNode;
  /** undefined: it has not asked for that type on this stream. */
  outcomeOf(typeUrl: TypeUrl, name: string, version: string): ResourceOutcome | undefined;
}

/** What a node said of what it was sent. */
export interface Acknowledgement {
  readonly node: XdsNode;
  readonly typeUrl: TypeUrl;
  readonly outcome: 'accepted' | 'rejected';
  /** Names (with versions) of the resources in the response that is answered. */
  readonly resources: readonly { readonly name: string; readonly version: string }[];
  /** The node's own words; empty where it accepted. */
  readonly message: string;
}
