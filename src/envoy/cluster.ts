/**
 * An upstream as an Envoy cluster, and the endpoints that come with it.
 *
 * Names and contents depend on nothing that follows pods or read policies: a changed cluster is built anew and closes its
 * connections to Redis, which costs what is in flight (Envoy 1.40).
 */
import { isIP } from 'node:net';

import type { SecretText } from '../api/secret-text.ts';
import type {
  ClusterUpstream,
  Credentials,
  ProxyEndpoint,
  ProxyUpstream,
  SocketAddress,
  UnavailableUpstream,
  Upstream,
} from '../plan/routing-plan.ts';
import { duration, socketAddress } from './address.ts';
import { any } from './codec.ts';
import type { Cluster } from './protos/envoy/config/cluster/v3/Cluster.ts';
import type { HealthCheck } from './protos/envoy/config/core/v3/HealthCheck.ts';
import type { ClusterLoadAssignment } from './protos/envoy/config/endpoint/v3/ClusterLoadAssignment.ts';
import type { LbEndpoint } from './protos/envoy/config/endpoint/v3/LbEndpoint.ts';
import { EJECTION, HEALTH_CHECK, TOPOLOGY } from './upstream-settings.ts';

/** How a secret is written: revealed for Envoy, redacted for people. */
export type Write = (secret: SecretText) => string;

/** Where endpoints of plain servers stand: in a resource of their own (EDS), or in the cluster (static configuration). */
export type EndpointsPlace = 'eds' | 'inline';

/**
 * Stands for "nobody" where a cluster would be empty: a client's MULTI on an empty cluster crashes Envoy 1.40, on an
 * unreachable one it is an error. Loopback, so that nothing leaves the machine; port 1 is nobody's.
 */
const UNREACHABLE: SocketAddress = { address: '127.255.255.254', port: 1 };

/** `waitForWarm` false: in force before its topology is known, so that a dead Redis keeps no listener closed. */
export function clusterMessage(
  upstream: Upstream,
  options: { readonly write: Write; readonly place: EndpointsPlace; readonly waitForWarm: boolean },
): Cluster {
  switch (upstream.mode) {
    case 'cluster':
      return redisCluster(upstream, options.write, options.waitForWarm);
    case 'proxy':
      return plainServers(upstream, options.write, options.place);
    case 'unavailable':
      return unavailable(upstream);
  }
}

/** The endpoints of plain servers; undefined for an upstream whose cluster says where they are. */
export function endpointsMessage(upstream: Upstream): ClusterLoadAssignment | undefined {
  if (upstream.mode !== 'proxy' || upstream.servers.kind === 'dns') return undefined;
  const { endpoints } = upstream.servers;
  return hasNames(endpoints) ? undefined : assignment(upstream.id, maglevEndpoints(endpoints));
}

function redisCluster(upstream: ClusterUpstream, write: Write, waitForWarm: boolean): Cluster {
  const { id, seeds, connectTimeoutMs, credentials } = upstream;
  return {
    name: id,
    connect_timeout: duration(connectTimeoutMs),
    lb_policy: 'CLUSTER_PROVIDED',
    cluster_type: {
      name: 'envoy.clusters.redis',
      typed_config: any('envoy.extensions.clusters.redis.v3.RedisClusterConfig', {
        cluster_refresh_rate: duration(TOPOLOGY.refreshMs),
        cluster_refresh_timeout: duration(TOPOLOGY.timeoutMs),
        redirect_refresh_interval: duration(TOPOLOGY.triggeredIntervalMs),
        redirect_refresh_threshold: { value: 1 },
        failure_refresh_threshold: 1,
        host_degraded_refresh_threshold: 1,
      }),
    },
    dns_lookup_family: 'V4_PREFERRED',
    load_assignment: assignment(id, seeds.map(lbEndpoint)),
    health_checks: [pingEachNode()],
    outlier_detection: {
      split_external_local_origin_errors: true,
      consecutive_5xx: { value: 0 },
      enforcing_success_rate: { value: 0 },
      enforcing_local_origin_success_rate: { value: 0 },
      consecutive_local_origin_failure: { value: 1 },
      enforcing_consecutive_local_origin_failure: { value: 100 },
      interval: duration(EJECTION.intervalMs),
      base_ejection_time: duration(EJECTION.baseMs),
      max_ejection_time: duration(EJECTION.maxMs),
      max_ejection_percent: { value: EJECTION.maxPercent },
    },
    // Each health change takes effect at once: within the default second, only the first of several would.
    common_lb_config: { update_merge_window: duration(0) },
    // With health checks Envoy would keep a forgotten node as long as it answers them.
    ignore_health_on_host_removal: true,
    wait_for_warm_on_init: { value: waitForWarm },
    ...protocolOptions(credentials, write),
  };
}

function pingEachNode(): HealthCheck {
  return {
    timeout: duration(HEALTH_CHECK.timeoutMs),
    interval: duration(HEALTH_CHECK.intervalMs),
    no_traffic_interval: duration(HEALTH_CHECK.noTrafficIntervalMs),
    unhealthy_threshold: { value: HEALTH_CHECK.unhealthyThreshold },
    healthy_threshold: { value: HEALTH_CHECK.healthyThreshold },
    custom_health_check: {
      name: 'envoy.health_checkers.redis',
      typed_config: any('envoy.extensions.health_checkers.redis.v3.Redis', {}),
    },
  };
}

/** No health check and no ejection: both would move keys to other servers. */
function plainServers(upstream: ProxyUpstream, write: Write, place: EndpointsPlace): Cluster {
  const { id, servers, connectTimeoutMs, credentials } = upstream;
  const common: Cluster = {
    name: id,
    connect_timeout: duration(connectTimeoutMs),
    lb_policy: 'MAGLEV',
    ...protocolOptions(credentials, write),
  };
  if (servers.kind === 'dns') {
    const endpoint = lbEndpoint({ address: servers.name, port: servers.port });
    return { ...common, ...resolvedType([servers.name]), load_assignment: assignment(id, [endpoint]) };
  }
  const { endpoints } = servers;
  if (place === 'eds' && !hasNames(endpoints)) {
    return {
      ...common,
      type: 'EDS',
      eds_cluster_config: { eds_config: { ads: {}, resource_api_version: 'V3' } },
    };
  }
  return {
    ...common,
    ...resolvedType(endpoints.map(({ address }) => address)),
    load_assignment: assignment(id, maglevEndpoints(endpoints)),
  };
}

function unavailable({ id }: UnavailableUpstream): Cluster {
  return {
    name: id,
    type: 'STATIC',
    connect_timeout: duration(500),
    load_assignment: assignment(id, [lbEndpoint(UNREACHABLE)]),
  };
}

function resolvedType(addresses: readonly string[]): Pick<Cluster, 'type' | 'dns_lookup_family'> {
  const allIp = addresses.every((address) => isIP(address) !== 0);
  return allIp ? { type: 'STATIC' } : { type: 'STRICT_DNS', dns_lookup_family: 'V4_PREFERRED' };
}

function hasNames(endpoints: readonly ProxyEndpoint[]): boolean {
  return endpoints.some(({ address }) => isIP(address) === 0);
}

function maglevEndpoints(endpoints: readonly ProxyEndpoint[]): LbEndpoint[] {
  if (endpoints.length === 0) return [lbEndpoint(UNREACHABLE)];
  return endpoints.map((endpoint) => ({
    ...lbEndpoint(endpoint),
    metadata: {
      filter_metadata: { 'envoy.lb': { fields: { hash_key: { stringValue: endpoint.hashKey } } } },
    },
  }));
}

function lbEndpoint({ address, port }: SocketAddress): LbEndpoint {
  return { endpoint: { address: socketAddress(address, port) } };
}

function assignment(name: string, endpoints: LbEndpoint[]): ClusterLoadAssignment {
  return { cluster_name: name, endpoints: [{ lb_endpoints: endpoints }] };
}

function protocolOptions(
  credentials: Credentials | undefined,
  write: Write,
): Pick<Cluster, 'typed_extension_protocol_options'> {
  if (credentials === undefined) return {};
  const { username, password } = credentials;
  return {
    typed_extension_protocol_options: {
      'envoy.filters.network.redis_proxy': any(
        'envoy.extensions.filters.network.redis_proxy.v3.RedisProtocolOptions',
        {
          auth_password: { inline_string: write(password) },
          ...(username === undefined ? {} : { auth_username: { inline_string: username } }),
        },
      ),
    },
  };
}
