/**
 * An Envoy listener with a redis_proxy as the bound listener that it was made from: the inverse of `listener.ts`.
 *
 * What no resource says (whose object it came from, for which namespaces) nobody needs who has been sent it.
 */
import type { Fault, ReadPolicy } from '../../api/objects.ts';
import type {
  BoundListener,
  ClientAuth,
  Listener as PlannedListener,
  Mirror,
  PrefixRoutes,
  Route,
  UpstreamId,
} from '../../plan/routing-plan.ts';
import { toldBy } from '../listener-metadata.ts';
import type { Listener } from '../protos/envoy/config/listener/v3/Listener.ts';
import type {
  RedisProxy,
  _envoy_extensions_filters_network_redis_proxy_v3_RedisProxy_ConnPoolSettings as Settings,
  _envoy_extensions_filters_network_redis_proxy_v3_RedisProxy_PrefixRoutes_Route as EnvoyRoute,
  _envoy_extensions_filters_network_redis_proxy_v3_RedisProxy_RedisFault as EnvoyFault,
} from '../protos/envoy/extensions/filters/network/redis_proxy/v3/RedisProxy.ts';
import {
  inlineSecret,
  inlineText,
  milliseconds,
  nameOf,
  percentage,
  refuse,
  socketAddressOf,
  unpacked,
} from './reading.ts';

/** undefined: it has no redis_proxy, and is not for us. Refuses what the proxy can't carry out. */
export function listenerFromEnvoy(message: Listener): BoundListener | undefined {
  const proxy = redisProxyOf(message);
  if (proxy === undefined) return undefined;
  const id = message.name ?? '';
  const bind = socketAddressOf(message.address, 'it');
  const { guards: guarded, zoneAffinity } = toldBy(message.metadata);
  const ofProxy = settings(proxy.settings ?? refuse('its redis_proxy has no settings'));
  return {
    bind,
    listener: {
      id,
      ...placeOf(id, bind.port),
      protocol: proxy.protocol_version === 'RESP3' ? 'RESP3' : 'RESP2',
      clientAuth: clientAuth(proxy),
      ...ofProxy,
      zoneAffinity: zoneAffinity || ofProxy.zoneAffinity,
      routes: routes(proxy),
      faults: withoutGuard(proxy.faults ?? [], guarded).map(fault),
      isUnguarded: guarded.length === 0,
      // Known only with the upstreams.
      leadsToPlainServers: false,
      listen: undefined,
      onlyNamespaces: undefined,
      isConsumers: false,
      origin: { kind: 'RedisService', namespace: '', name: id },
      originCreatedMs: 0,
    },
  };
}

function redisProxyOf({ filter_chains: chains = [] }: Listener): RedisProxy | undefined {
  const found = chains.map(({ filters = [] }) =>
    filters.map(({ typed_config: config }) => ({
      name: nameOf(config),
      proxy: unpacked(config, 'envoy.extensions.filters.network.redis_proxy.v3.RedisProxy'),
    })),
  );
  if (!found.some((filters) => filters.some(({ proxy }) => proxy !== undefined))) return undefined;
  const [filters = [], ...others] = found;
  if (others.length > 0) refuse('it has several filter chains; the proxy takes one');
  const other = filters.find(({ proxy }) => proxy === undefined);
  if (other !== undefined) refuse(`it has a filter ${other.name} beside redis_proxy`);
  if (filters.length > 1) refuse('it has redis_proxy twice');
  if (chains[0]?.transport_socket) refuse('it wants TLS from its clients');
  return filters[0]?.proxy;
}

/** `HOST:PORT`, as our listeners are named; another's name is all that is known of it. */
function placeOf(id: string, boundPort: number): Pick<PlannedListener, 'host' | 'port'> {
  const { host, port } = /^\[?(?<host>.+?)\]?:(?<port>\d{1,5})$/.exec(id)?.groups ?? {};
  return host === undefined ? { host: id, port: boundPort } : { host, port: Number(port) };
}

const POLICIES: Readonly<Record<string, { readonly policy: ReadPolicy; readonly zones: boolean }>> = {
  MASTER: { policy: 'MASTER', zones: false },
  PREFER_MASTER: { policy: 'PREFER_MASTER', zones: false },
  REPLICA: { policy: 'REPLICA', zones: false },
  PREFER_REPLICA: { policy: 'PREFER_REPLICA', zones: false },
  ANY: { policy: 'ANY', zones: false },
  LOCAL_ZONE_AFFINITY: { policy: 'PREFER_REPLICA', zones: true },
  LOCAL_ZONE_AFFINITY_REPLICAS_AND_PRIMARY: { policy: 'ANY', zones: true },
};

function settings(
  message: Settings,
): Pick<
  PlannedListener,
  | 'readPolicy'
  | 'zoneAffinity'
  | 'opTimeoutMs'
  | 'followRedirections'
  | 'hashTags'
  | 'commandStats'
  | 'batching'
  | 'maxUnknownConnections'
> {
  const { read_policy: name = 'MASTER', op_timeout: timeout, buffer_flush_timeout: flush } = message;
  const { policy, zones } = POLICIES[name] ?? refuse(`read_policy ${name} is not known`);
  return {
    readPolicy: policy,
    zoneAffinity: zones,
    opTimeoutMs: timeout ? milliseconds(timeout) : refuse('its redis_proxy has no op_timeout'),
    followRedirections: message.enable_redirection === true,
    hashTags: message.enable_hashtagging === true,
    commandStats: message.enable_command_stats === true,
    batching:
      message.max_buffer_size_before_flush === undefined || message.max_buffer_size_before_flush === 0
        ? undefined
        : {
            bytes: message.max_buffer_size_before_flush,
            flushAfterMs: flush ? milliseconds(flush) : 0,
          },
    maxUnknownConnections: message.max_upstream_unknown_connections?.value,
  };
}

function routes({ prefix_routes: message }: RedisProxy): PrefixRoutes {
  const { routes: prefixes = [], catch_all_route: catchAll, case_insensitive: folds } = message ?? {};
  return {
    prefixes: prefixes.map((prefixRoute) => ({
      ...route(prefixRoute),
      prefix: prefixRoute.prefix ?? '',
      removePrefix: prefixRoute.remove_prefix === true,
    })),
    catchAll: catchAll ? route(catchAll) : undefined,
    caseInsensitive: folds === true,
  };
}

function route(message: EnvoyRoute): Route {
  const { cluster, read_command_policy: reads, request_mirror_policy: mirrors = [] } = message;
  return {
    upstream: clusterName(cluster, 'a route'),
    reads: reads ? clusterName(reads.cluster, "a route's reads") : undefined,
    mirrors: mirrors.map((mirror): Mirror => ({
      upstream: clusterName(mirror.cluster, 'a mirror'),
      percentage: percentage(mirror.runtime_fraction),
      excludeReads: mirror.exclude_read_commands === true,
    })),
  };
}

function clusterName(name: string | undefined, whose: string): UpstreamId {
  return name === undefined || name === '' ? refuse(`${whose} names no cluster`) : name;
}

/** The first fault is the guard: commands that Envoy would answer wrongly, and the proxy does not. */
function withoutGuard(faults: readonly EnvoyFault[], guarded: readonly string[]): readonly EnvoyFault[] {
  const [first, ...others] = faults;
  if (guarded.length === 0) return faults;
  const isGuard =
    first?.fault_type === 'ERROR' && (first.commands ?? []).toSorted().join() === guarded.toSorted().join();
  return isGuard ? others : refuse('its metadata tells of guards, which its first fault is not');
}

function fault({
  fault_type: type = 'DELAY',
  fault_enabled: enabled,
  delay,
  commands = [],
}: EnvoyFault): Fault {
  return {
    type: type === 'DELAY' || type === 'ERROR' ? type : refuse(`fault_type ${type} is not known`),
    percentage: percentage(enabled),
    delayMs: delay ? milliseconds(delay) : undefined,
    commands: commands.map((command) => command.toLowerCase()),
  };
}

/** A user name alone is what keeps Envoy's listener closed to all. */
function clientAuth(proxy: RedisProxy): ClientAuth {
  const { downstream_auth_username: user, downstream_auth_passwords: passwords = [] } = proxy;
  const [password, ...others] = passwords;
  if (others.length > 0) refuse('it takes several passwords; the proxy takes one');
  if (password === undefined) {
    return user
      ? { kind: 'unavailable', why: 'the control plane does not know its password' }
      : { kind: 'none' };
  }
  const secret = inlineSecret(password, 'its password');
  // Never an open listener: what asks for an empty password was meant to be closed.
  if (secret.bytes().length === 0) refuse('its password is empty');
  return {
    kind: 'password',
    username: user ? inlineText(user, 'its user name') : undefined,
    password: secret,
  };
}
