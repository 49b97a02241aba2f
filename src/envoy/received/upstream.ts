/**
 * An Envoy cluster and its endpoints as the upstream that they were made from: the inverse of `cluster.ts` and
 * `endpoints.ts`.
 */
import { isIP } from 'node:net';

import { addressOf } from '../../api/host-port.ts';
import type { TcpKeepalive } from '../../api/objects.ts';
import type {
  ClusterUpstream,
  Credentials,
  ProxyEndpoint,
  ProxyServers,
  SocketAddress,
  Upstream,
  UpstreamBase,
} from '../../plan/routing-plan.ts';
import { UNREACHABLE } from '../endpoints.ts';
import type { Cluster } from '../protos/envoy/config/cluster/v3/Cluster.ts';
import type { ClusterLoadAssignment } from '../protos/envoy/config/endpoint/v3/ClusterLoadAssignment.ts';
import type { LbEndpoint } from '../protos/envoy/config/endpoint/v3/LbEndpoint.ts';
import {
  inlineSecret,
  inlineText,
  milliseconds,
  nameOf,
  refuse,
  socketAddressOf,
  unpacked,
} from './reading.ts';
import { upstreamTls } from './tls.ts';

/** The name of the endpoints that the cluster waits for; undefined: it says itself where they are. */
export function endpointsName({ name, type, eds_cluster_config: eds }: Cluster): string | undefined {
  if (type !== 'EDS') return undefined;
  const { service_name: service } = eds ?? {};
  return service === undefined || service === '' ? name : service;
}

/** Refuses what the proxy can't carry out. */
export function upstreamFromEnvoy(cluster: Cluster, assignment: ClusterLoadAssignment): Upstream {
  const { name: id = '', cluster_type: type, lb_policy: policy = 'ROUND_ROBIN' } = cluster;
  const endpoints = serversOf(assignment);
  if (type) return { ...base(id, cluster), ...redisCluster(cluster, endpoints) };
  if (policy === 'MAGLEV') return { ...base(id, cluster), mode: 'proxy', servers: shards(endpoints) };
  if (policy === 'RANDOM') return { ...base(id, cluster), mode: 'reads', groups: groups(endpoints) };
  if (endpoints.length > 0 && endpoints.every(isNobody))
    return { id, mode: 'unavailable', why: 'its credentials or certificates are not known' };
  return refuse(
    `lb_policy ${policy} is none that the proxy knows: MAGLEV (keys over servers), RANDOM (reads over replicas), or envoy.clusters.redis`,
  );
}

function base(id: string, cluster: Cluster): UpstreamBase {
  const {
    connect_timeout: timeout,
    upstream_connection_options: connection,
    circuit_breakers: limits,
  } = cluster;
  return {
    id,
    connectTimeoutMs: timeout ? milliseconds(timeout) : refuse('it has no connect_timeout'),
    credentials: credentials(cluster),
    tls: upstreamTls(cluster.transport_socket),
    keepalive: connection?.tcp_keepalive ? keepalive(connection.tcp_keepalive) : undefined,
    maxConnections: limits?.thresholds?.[0]?.max_connections?.value,
  };
}

function redisCluster(
  { cluster_type: type, metadata }: Cluster,
  endpoints: readonly Server[],
): Pick<ClusterUpstream, 'mode' | 'seeds' | 'discoverZones' | 'generation'> {
  const config = unpacked(type?.typed_config, 'envoy.extensions.clusters.redis.v3.RedisClusterConfig');
  if (config === undefined)
    return refuse(`its cluster_type is ${nameOf(type?.typed_config)}, which the proxy does not know`);
  if (endpoints.length === 0) refuse('it has no seeds');
  return {
    mode: 'cluster',
    seeds: endpoints.map(({ address, port }) => ({ address, port })),
    discoverZones: config.enable_zone_discovery?.value === true,
    generation: generationOf(metadata),
  };
}

function generationOf(metadata: Cluster['metadata']): number | undefined {
  const value = metadata?.filter_metadata?.['redpilot']?.fields?.['generation']?.numberValue;
  return value === undefined ? undefined : Number(value);
}

interface Server extends SocketAddress {
  readonly hashKey: string | undefined;
  readonly priority: number;
}

function serversOf({ endpoints = [] }: ClusterLoadAssignment): readonly Server[] {
  return endpoints.flatMap(({ lb_endpoints: list = [], priority = 0 }) =>
    list.map((endpoint) => ({
      ...socketAddressOf(endpoint.endpoint?.address, 'an endpoint'),
      hashKey: hashKey(endpoint),
      priority,
    })),
  );
}

function hashKey({ metadata }: LbEndpoint): string | undefined {
  return metadata?.filter_metadata?.['envoy.lb']?.fields?.['hash_key']?.stringValue;
}

function isNobody({ address, port }: SocketAddress): boolean {
  return address === UNREACHABLE.address && port === UNREACHABLE.port;
}

/** Only what is looked up by name has no hash key of ours. */
function shards(endpoints: readonly Server[]): ProxyServers {
  const [first, ...others] = endpoints.filter((endpoint) => !isNobody(endpoint));
  if (first === undefined) return { kind: 'endpoints', endpoints: [] };
  if (others.length === 0 && first.hashKey === undefined)
    return { kind: 'dns', name: first.address, port: first.port };
  const all = [first, ...others];
  if (all.some(({ address, hashKey: key }) => key === undefined && isIP(address) === 0))
    return refuse('several servers, and some by name without a hash_key; give addresses, or one name');
  return { kind: 'endpoints', endpoints: all.map(endpointOf) };
}

/** Envoy places a server without a hash key by its address. */
function endpointOf({ address, port, hashKey: key }: Server): ProxyEndpoint {
  return { address, port, hashKey: key ?? addressOf(address, port) };
}

function groups(endpoints: readonly Server[]): readonly (readonly ProxyServers[])[] {
  const present = endpoints.filter((endpoint) => !isNobody(endpoint));
  if (present.length === 0) return [[{ kind: 'endpoints', endpoints: [] }]];
  const priorities = [...new Set(present.map(({ priority }) => priority))].sort((a, b) => a - b);
  return priorities.map((priority) => {
    const group = present.filter((endpoint) => endpoint.priority === priority);
    const byName = group.filter(({ address }) => isIP(address) === 0);
    const byAddress = group.filter(({ address }) => isIP(address) !== 0);
    return [
      ...byName.map(({ address, port }) => ({ kind: 'dns' as const, name: address, port })),
      ...(byAddress.length === 0
        ? []
        : [{ kind: 'endpoints' as const, endpoints: byAddress.map(endpointOf) }]),
    ];
  });
}

function credentials({ typed_extension_protocol_options: options }: Cluster): Credentials | undefined {
  const packed = options?.['envoy.filters.network.redis_proxy'];
  if (packed === undefined) return undefined;
  const found = unpacked(packed, 'envoy.extensions.filters.network.redis_proxy.v3.RedisProtocolOptions');
  if (found === undefined) return refuse(`its options for Redis are ${nameOf(packed)}`);
  const { auth_password: password, auth_username: username } = found;
  if (!password) return username ? refuse('it has a user name without a password') : undefined;
  return {
    username: username ? inlineText(username, 'its user name') : undefined,
    password: inlineSecret(password, 'its password'),
  };
}

type Probing = NonNullable<NonNullable<Cluster['upstream_connection_options']>['tcp_keepalive']>;

function keepalive({
  keepalive_probes: probes,
  keepalive_time: time,
  keepalive_interval: interval,
}: Probing): TcpKeepalive {
  return {
    probes: probes?.value,
    timeSeconds: time?.value,
    intervalSeconds: interval?.value,
  };
}
