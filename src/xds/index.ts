/**
 * The xDS server.
 */
export type { HostAndPort } from './listen-address.ts';
export type { StreamState, XdsLog } from './live-stream.ts';
export { createXdsServer, type XdsServer, type XdsServerOptions } from './server.ts';
export type { Acknowledgement, SnapshotSource, XdsNode } from './snapshot-source.ts';
