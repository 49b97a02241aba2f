/**
 * An upstream as an Envoy cluster.
 *
 * Names and contents depend on nothing that follows pods or read policies: a changed cluster is built anew and closes its
 * connections to Redis, which costs what is in flight (Envoy 1.40). Another order of reads is another upstream.
 */
import type { TcpKeepalive } from '../api/objects.ts';
import type {
  ClusterUpstream,
  Credentials,
  ProxyUpstream,
  ReadsUpstream,
  UnavailableUpstream,
  Upstream,
  UpstreamBase,
} from '../plan/routing-plan.ts';
import { duration } from './address.ts';
import { any } from './codec.ts';
import { assignmentOf, hasOnlyAddresses, isByEds } from './endpoints.ts';
import type { Cluster } from './protos/envoy/config/cluster/v3/Cluster.ts';
import type { HealthCheck } from './protos/envoy/config/core/v3/HealthCheck.ts';
import type { TcpKeepalive as EnvoyKeepalive } from './protos/envoy/config/core/v3/TcpKeepalive.ts';
import type { PlaceSecret } from './secret-place.ts';
import { EJECTION, HEALTH_CHECK, TOPOLOGY } from './upstream-settings.ts';
import { tlsSocket } from './upstream-tls.ts';

/** Where endpoints of plain servers stand: in a resource of their own (EDS), or in the cluster (static configuration). */
export type EndpointsPlace = 'eds' | 'inline';

/** `waitForWarm` false: in force before its topology is known, so that a dead Redis keeps no listener closed. */
export function clusterMessage(
  upstream: Upstream,
  options: { readonly secrets: PlaceSecret; readonly place: EndpointsPlace; readonly waitForWarm: boolean },
): Cluster {
  switch (upstream.mode) {
    case 'cluster':
      return redisCluster(upstream, options.secrets, options.waitForWarm);
    case 'proxy':
      return plainServers(upstream, options.secrets, options.place);
    case 'reads':
      return replicas(upstream, options.secrets, options.place);
    case 'unavailable':
      return unavailable(upstream);
  }
}

function redisCluster(upstream: ClusterUpstream, secrets: PlaceSecret, waitForWarm: boolean): Cluster {
  return {
    ...common(upstream, secrets),
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
        ...(upstream.discoverZones ? { enable_zone_discovery: { value: true } } : {}),
      }),
    },
    dns_lookup_family: 'V4_PREFERRED',
    load_assignment: assignmentOf(upstream),
    ...generation(upstream),
    ...watched(),
    wait_for_warm_on_init: { value: waitForWarm },
  };
}

/**
 * Envoy asks the seeds of a cluster that it knows never again, and one whose nodes are all gone it never finds back. Other
 * metadata make it another cluster. (Seen with Envoy 1.40.)
 */
function generation(upstream: ClusterUpstream): Pick<Cluster, 'metadata'> {
  if (upstream.generation === undefined) return {};
  const fields = { generation: { numberValue: upstream.generation } };
  return { metadata: { filter_metadata: { redpilot: { fields } } } };
}

/** No health check and no ejection: both would move keys to other servers. */
function plainServers(upstream: ProxyUpstream, secrets: PlaceSecret, place: EndpointsPlace): Cluster {
  return { ...common(upstream, secrets), lb_policy: 'MAGLEV', ...endpoints(upstream, place) };
}

/** Any of them can answer, so those that can't are passed by. */
function replicas(upstream: ReadsUpstream, secrets: PlaceSecret, place: EndpointsPlace): Cluster {
  return {
    ...common(upstream, secrets),
    lb_policy: 'RANDOM',
    ...endpoints(upstream, place),
    ...watched(),
  };
}

function unavailable(upstream: UnavailableUpstream): Cluster {
  return {
    name: upstream.id,
    type: 'STATIC',
    connect_timeout: duration(500),
    load_assignment: assignmentOf(upstream),
  };
}

function common(upstream: UpstreamBase, secrets: PlaceSecret): Cluster {
  const { id, connectTimeoutMs, credentials, tls, keepalive, maxConnections } = upstream;
  return {
    name: id,
    connect_timeout: duration(connectTimeoutMs),
    ...protocolOptions(credentials, secrets),
    ...(tls === undefined ? {} : { transport_socket: tlsSocket(tls, secrets) }),
    ...(keepalive === undefined
      ? {}
      : { upstream_connection_options: { tcp_keepalive: probing(keepalive) } }),
    ...(maxConnections === undefined
      ? {}
      : { circuit_breakers: { thresholds: [{ max_connections: { value: maxConnections } }] } }),
  };
}

function endpoints(
  upstream: ProxyUpstream | ReadsUpstream,
  place: EndpointsPlace,
): Pick<Cluster, 'type' | 'eds_cluster_config' | 'load_assignment' | 'dns_lookup_family'> {
  if (place === 'eds' && isByEds(upstream)) {
    return { type: 'EDS', eds_cluster_config: { eds_config: { ads: {}, resource_api_version: 'V3' } } };
  }
  const load_assignment = assignmentOf(upstream);
  return hasOnlyAddresses(upstream)
    ? { type: 'STATIC', load_assignment }
    : { type: 'STRICT_DNS', dns_lookup_family: 'V4_PREFERRED', load_assignment };
}

/** Who fails is passed by at once, and comes back as soon as it answers. */
function watched(): Pick<
  Cluster,
  'health_checks' | 'outlier_detection' | 'common_lb_config' | 'ignore_health_on_host_removal'
> {
  return {
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

function probing({ probes, timeSeconds, intervalSeconds }: TcpKeepalive): EnvoyKeepalive {
  return {
    ...(probes === undefined ? {} : { keepalive_probes: { value: probes } }),
    ...(timeSeconds === undefined ? {} : { keepalive_time: { value: timeSeconds } }),
    ...(intervalSeconds === undefined ? {} : { keepalive_interval: { value: intervalSeconds } }),
  };
}

function protocolOptions(
  credentials: Credentials | undefined,
  secrets: PlaceSecret,
): Pick<Cluster, 'typed_extension_protocol_options'> {
  if (credentials === undefined) return {};
  const { username, password } = credentials;
  return {
    typed_extension_protocol_options: {
      'envoy.filters.network.redis_proxy': any(
        'envoy.extensions.filters.network.redis_proxy.v3.RedisProtocolOptions',
        {
          auth_password: secrets(password),
          ...(username === undefined ? {} : { auth_username: { inline_string: username } }),
        },
      ),
    },
  };
}
