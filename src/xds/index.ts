/**
 * The xDS server, and a small client.
 */
export { type Received, XdsClient } from './client.ts';
export { getResources } from './get-resources.ts';
export type { HostAndPort } from './listen-address.ts';
export { createXdsServer, type XdsServer } from './server.ts';
export type { NodeStream, SnapshotSource, XdsNode } from './snapshot-source.ts';
export { type NodeStatus, syncStatus } from './sync-status.ts';
export { syncTable } from './sync-table.ts';
