/**
 * The xDS server, and its clients: one that looks, one that follows.
 */
export { XdsClient } from './client.ts';
export { followXds, type Follower, type Receiver } from './follow.ts';
export { getResources, type ShownResponse } from './get-resources.ts';
export { checkMayListen, formatAddress, type HostAndPort } from './listen-address.ts';
export { createXdsServer, type XdsServer } from './server.ts';
export type { NodeStream, SnapshotSource, XdsNode } from './snapshot-source.ts';
export { type NodeStatus, syncStatus } from './sync-status.ts';
export { syncTable } from './sync-table.ts';
