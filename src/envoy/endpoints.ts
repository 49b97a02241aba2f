/**
 * The endpoints of an upstream's cluster: seeds, shards placed by Maglev, or groups by preference.
 */
import { isIP } from 'node:net';

import type { ProxyEndpoint, ProxyServers, SocketAddress, Upstream } from '../plan/routing-plan.ts';
import { socketAddress } from './address.ts';
import type { ClusterLoadAssignment } from './protos/envoy/config/endpoint/v3/ClusterLoadAssignment.ts';
import type { LbEndpoint } from './protos/envoy/config/endpoint/v3/LbEndpoint.ts';

/**
 * Stands for "nobody" where a cluster would be empty: a client's MULTI on an empty cluster crashes Envoy 1.40, on an
 * unreachable one it is an error. Loopback, so that nothing leaves the machine; port 1 is nobody's.
 */
export const UNREACHABLE: SocketAddress = { address: '127.255.255.254', port: 1 };

/**
 * One healthy server of 1,000 counts as a whole group: Envoy would otherwise send a part of the reads to the next group
 * as soon as some servers of this one are down.
 */
const ONE_IS_ENOUGH = 100_000;

/** In a resource of their own (EDS); undefined for an upstream whose cluster says where they are. */
export function endpointsMessage(upstream: Upstream): ClusterLoadAssignment | undefined {
  return isByEds(upstream) ? assignmentOf(upstream) : undefined;
}

/** Plain servers that all have IP addresses: EDS takes no names. */
export function isByEds(upstream: Upstream): boolean {
  if (upstream.mode !== 'proxy' && upstream.mode !== 'reads') return false;
  return serversOf(upstream).every(
    (servers) =>
      servers.kind === 'endpoints' && servers.endpoints.every(({ address }) => isIP(address) !== 0),
  );
}

/** Every address of it is an IP address. */
export function hasOnlyAddresses(upstream: Upstream): boolean {
  const isAddress = ({ address }: SocketAddress): boolean => isIP(address) !== 0;
  if (upstream.mode === 'cluster') return upstream.seeds.every(isAddress);
  return serversOf(upstream).every((servers) => addressesOf(servers).every(isAddress));
}

export function assignmentOf(upstream: Upstream): ClusterLoadAssignment {
  const { id } = upstream;
  switch (upstream.mode) {
    case 'cluster':
      return assignment(id, upstream.seeds.map(lbEndpoint));
    case 'proxy':
      return assignment(id, shards(upstream.servers));
    case 'reads':
      return byPreference(id, upstream.groups);
    case 'unavailable':
      return assignment(id, [lbEndpoint(UNREACHABLE)]);
  }
}

function shards(servers: ProxyServers): LbEndpoint[] {
  if (servers.kind === 'dns') return [lbEndpoint({ address: servers.name, port: servers.port })];
  if (servers.endpoints.length === 0) return [lbEndpoint(UNREACHABLE)];
  return servers.endpoints.map((endpoint) => ({ ...lbEndpoint(endpoint), metadata: hashKey(endpoint) }));
}

function hashKey(endpoint: ProxyEndpoint): NonNullable<LbEndpoint['metadata']> {
  return { filter_metadata: { 'envoy.lb': { fields: { hash_key: { stringValue: endpoint.hashKey } } } } };
}

function byPreference(id: string, groups: readonly (readonly ProxyServers[])[]): ClusterLoadAssignment {
  const filled = groups.map((group) => group.flatMap(addressesOf)).filter((group) => group.length > 0);
  if (filled.length === 0) filled.push([UNREACHABLE]);
  return {
    cluster_name: id,
    endpoints: filled.map((group, priority) => ({
      lb_endpoints: group.map(lbEndpoint),
      ...(priority === 0 ? {} : { priority }),
    })),
    policy: { overprovisioning_factor: { value: ONE_IS_ENOUGH } },
  };
}

function serversOf(upstream: Upstream): readonly ProxyServers[] {
  if (upstream.mode === 'proxy') return [upstream.servers];
  return upstream.mode === 'reads' ? upstream.groups.flat() : [];
}

function addressesOf(servers: ProxyServers): readonly SocketAddress[] {
  return servers.kind === 'dns' ? [{ address: servers.name, port: servers.port }] : servers.endpoints;
}

function assignment(name: string, endpoints: LbEndpoint[]): ClusterLoadAssignment {
  return { cluster_name: name, endpoints: [{ lb_endpoints: endpoints }] };
}

function lbEndpoint({ address, port }: SocketAddress): LbEndpoint {
  return { endpoint: { address: socketAddress(address, port) } };
}
