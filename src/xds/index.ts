/**
 * The xDS server.
 */
export type { HostAndPort } from './listen-address.ts';
export type { StreamState } from './live-stream.ts';
export { createXdsServer } from './server.ts';
export type { SnapshotSource } from './snapshot-source.ts';
