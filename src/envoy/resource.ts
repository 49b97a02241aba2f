/**
 * Resources: encoded Envoy messages.
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
   * What a client gets instead that has no version of it yet. Same name, same version. Clusters of Redis use it to switch
   * off warming where nothing is lost by that: one Redis that is down would otherwise keep all listeners of a starting
   * Envoy closed, and a running one from asking for clusters on its next stream.
   */
  readonly initialBytes?: Uint8Array;
}
