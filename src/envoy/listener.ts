/**
 * A bound listener as an Envoy listener with one redis_proxy filter.
 *
 * Only filter contents may change while a listener lives: Envoy then swaps them in place, and the socket stays open.
 */
import type { Fault, ReadPolicy } from '../api/objects.ts';
import type { BoundListener, ClientAuth, Listener as PlannedListener, Route } from '../plan/routing-plan.ts';
import { duration, socketAddress } from './address.ts';
import { any } from './codec.ts';
import { guardsOf, type Guard } from './guards.ts';
import { listenerMetadata } from './listener-metadata.ts';
import type { RuntimeFractionalPercent } from './protos/envoy/config/core/v3/RuntimeFractionalPercent.ts';
import type { Filter } from './protos/envoy/config/listener/v3/Filter.ts';
import type { Listener } from './protos/envoy/config/listener/v3/Listener.ts';
import type {
  RedisProxy,
  _envoy_extensions_filters_network_redis_proxy_v3_RedisProxy_ConnPoolSettings as Settings,
  _envoy_extensions_filters_network_redis_proxy_v3_RedisProxy_ConnPoolSettings_ReadPolicy as EnvoyReadPolicy,
  _envoy_extensions_filters_network_redis_proxy_v3_RedisProxy_PrefixRoutes_Route as EnvoyRoute,
  _envoy_extensions_filters_network_redis_proxy_v3_RedisProxy_RedisFault as EnvoyFault,
} from './protos/envoy/extensions/filters/network/redis_proxy/v3/RedisProxy.ts';
import type { PlaceSecret } from './secret-place.ts';

export const REDIS_PROXY = 'envoy.filters.network.redis_proxy';

/** One for all filters: Envoy wants equal settings under equal names. Needed to follow a MOVED to a host name. */
const DNS_CACHE = { name: 'redpilot', dns_lookup_family: 'V4_PREFERRED' } as const;

export function listenerMessage({ listener, bind }: BoundListener, secrets: PlaceSecret): Listener {
  const { zoneAffinity, readPolicy: policy } = listener;
  const metadata = listenerMetadata(guardsOf(listener), zoneAffinity && WITH_ZONES[policy] === undefined);
  return {
    name: listener.id,
    address: socketAddress(bind.address, bind.port),
    filter_chains: [{ filters: [redisProxyFilter(listener, secrets)] }],
    ...(metadata === undefined ? {} : { metadata }),
  };
}

/** The filter that carries out the listener, wherever the connections come from. */
export function redisProxyFilter(listener: PlannedListener, secrets: PlaceSecret): Filter {
  const guards = guardsOf(listener);
  const { prefixes, catchAll, caseInsensitive } = listener.routes;
  const proxy: RedisProxy = {
    stat_prefix: listener.id,
    settings: settings(listener),
    prefix_routes: {
      routes: prefixes.map((prefixRoute) => ({
        prefix: prefixRoute.prefix,
        ...route(prefixRoute),
        ...(prefixRoute.removePrefix ? { remove_prefix: true } : {}),
      })),
      ...(catchAll === undefined ? {} : { catch_all_route: route(catchAll) }),
      ...(caseInsensitive ? { case_insensitive: true } : {}),
    },
    ...downstreamAuth(listener.clientAuth, secrets),
    faults: [...guardFault(guards), ...listener.faults.map(fault)],
    ...(listener.protocol === 'RESP3' ? { protocol_version: 'RESP3' } : {}),
  };
  return {
    name: REDIS_PROXY,
    typed_config: any('envoy.extensions.filters.network.redis_proxy.v3.RedisProxy', proxy),
  };
}

function settings(listener: PlannedListener): Settings {
  const { batching, maxUnknownConnections } = listener;
  return {
    op_timeout: duration(listener.opTimeoutMs),
    read_policy: readPolicy(listener),
    ...(listener.followRedirections ? { enable_redirection: true, dns_cache_config: DNS_CACHE } : {}),
    ...(listener.hashTags ? { enable_hashtagging: true } : {}),
    ...(listener.commandStats ? { enable_command_stats: true } : {}),
    ...(batching === undefined
      ? {}
      : {
          max_buffer_size_before_flush: batching.bytes,
          buffer_flush_timeout: duration(batching.flushAfterMs),
        }),
    ...(maxUnknownConnections === undefined
      ? {}
      : { max_upstream_unknown_connections: { value: maxUnknownConnections } }),
  };
}

/** Envoy's policies of zones, each where it stays within what ours allows. */
const WITH_ZONES: Readonly<Partial<Record<ReadPolicy, keyof typeof EnvoyReadPolicy>>> = {
  PREFER_REPLICA: 'LOCAL_ZONE_AFFINITY',
  ANY: 'LOCAL_ZONE_AFFINITY_REPLICAS_AND_PRIMARY',
};

function readPolicy({ readPolicy: policy, zoneAffinity }: PlannedListener): keyof typeof EnvoyReadPolicy {
  return (zoneAffinity ? WITH_ZONES[policy] : undefined) ?? policy;
}

function route({ upstream, reads, mirrors }: Route): EnvoyRoute {
  return {
    cluster: upstream,
    ...(reads === undefined ? {} : { read_command_policy: { cluster: reads } }),
    request_mirror_policy: mirrors.map((mirror) => ({
      cluster: mirror.upstream,
      // A fraction of 100 % is not the same as none: with none, transactions are mirrored whole (Envoy 1.40).
      ...(mirror.percentage === 100 ? {} : { runtime_fraction: fraction(mirror.percentage) }),
      ...(mirror.excludeReads ? { exclude_read_commands: true } : {}),
    })),
  };
}

function guardFault(guards: readonly Guard[]): readonly EnvoyFault[] {
  if (guards.length === 0) return [];
  const commands = guards.map(({ command }) => command);
  return [{ fault_type: 'ERROR', fault_enabled: fraction(100), commands }];
}

function fault({ type, percentage, delayMs, commands }: Fault): EnvoyFault {
  return {
    fault_type: type,
    fault_enabled: fraction(percentage),
    ...(delayMs === undefined ? {} : { delay: duration(delayMs) }),
    commands: [...commands],
  };
}

function fraction(percentage: number): RuntimeFractionalPercent {
  return {
    default_value: Number.isInteger(percentage)
      ? { numerator: percentage, denominator: 'HUNDRED' }
      : { numerator: Math.round(percentage * 10_000), denominator: 'MILLION' },
  };
}

/**
 * Never an empty password: Envoy would take it for none and let everybody in. A user name without any password is what
 * keeps a listener closed to all (Envoy 1.40).
 */
function downstreamAuth(
  auth: ClientAuth,
  secrets: PlaceSecret,
): Pick<RedisProxy, 'downstream_auth_username' | 'downstream_auth_passwords'> {
  switch (auth.kind) {
    case 'none':
      return {};
    case 'unavailable':
      return { downstream_auth_username: { inline_string: 'nobody' } };
    case 'password':
      return {
        ...(auth.username === undefined
          ? {}
          : { downstream_auth_username: { inline_string: auth.username } }),
        downstream_auth_passwords: [secrets(auth.password)],
      };
  }
}
