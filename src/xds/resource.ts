/**
 * What the xDS server moves: opaque encoded resources, and the snapshot of them that one kind of node may see.
 */
export const CLUSTER_TYPE = 'type.googleapis.com/envoy.config.cluster.v3.Cluster';
export const ENDPOINTS_TYPE = 'type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment';
export const LISTENER_TYPE = 'type.googleapis.com/envoy.config.listener.v3.Listener';

export type TypeUrl = typeof CLUSTER_TYPE | typeof ENDPOINTS_TYPE | typeof LISTENER_TYPE;

/** In the order of sending: clusters, their endpoints, then the listeners that route to them. */
export const TYPE_URLS: readonly TypeUrl[] = [CLUSTER_TYPE, ENDPOINTS_TYPE, LISTENER_TYPE];

/** One encoded resource; never changed once made, so that the same object means the same content. */
export interface Resource {
  readonly typeUrl: TypeUrl;
  readonly name: string;
  /** Hash of `bytes`: equal on every replica and after a restart. */
  readonly version: string;
  /** The encoded message, without its Any. */
  readonly bytes: Uint8Array;
  /**
   * What a client gets instead that starts without known versions (a first request of this type that names no version).
   * Same name, same version. Clusters of Redis use it to switch off warming for a starting Envoy: one Redis that is
   * down would otherwise keep all of its listeners closed.
   */
  readonly initialBytes?: Uint8Array;
}

/** All resources of one view: by type, then by name. */
export type Snapshot = ReadonlyMap<TypeUrl, ReadonlyMap<string, Resource>>;

/** A connected xDS client, as it names itself in the first request of its stream. */
export interface XdsNode {
  readonly id: string;
  readonly cluster: string;
  /** node.metadata as plain JSON. */
  readonly metadata: Readonly<Record<string, unknown>>;
  /** `1.40.0`; undefined where the client does not say. */
  readonly version: string | undefined;
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
