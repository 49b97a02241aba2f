/**
 * A bound listener as an Envoy listener with one redis_proxy filter.
 *
 * Only filter contents may change while a listener lives: Envoy then swaps them in place, and the socket stays open.
 */
import type { BoundListener, ClientAuth, PrefixRoutes } from '../plan/routing-plan.ts';
import { duration, socketAddress } from './address.ts';
import type { Write } from './cluster.ts';
import { any } from './codec.ts';
import type { Listener } from './protos/envoy/config/listener/v3/Listener.ts';
import type { RedisProxy } from './protos/envoy/extensions/filters/network/redis_proxy/v3/RedisProxy.ts';
import type { _envoy_extensions_filters_network_redis_proxy_v3_RedisProxy_PrefixRoutes as EnvoyRoutes } from './protos/envoy/extensions/filters/network/redis_proxy/v3/RedisProxy.ts';

/** One for all filters: Envoy wants equal settings under equal names. Needed to follow a MOVED to a host name. */
const DNS_CACHE = { name: 'redpilot', dns_lookup_family: 'V4_PREFERRED' } as const;

export function listenerMessage({ listener, bind }: BoundListener, write: Write): Listener {
  const proxy: RedisProxy = {
    stat_prefix: listener.id,
    settings: {
      op_timeout: duration(listener.opTimeoutMs),
      read_policy: listener.readPolicy,
      ...(listener.followRedirections ? { enable_redirection: true, dns_cache_config: DNS_CACHE } : {}),
    },
    prefix_routes: prefixRoutes(listener.routes),
    ...downstreamAuth(listener.clientAuth, write),
  };
  return {
    name: listener.id,
    address: socketAddress(bind.address, bind.port),
    filter_chains: [
      {
        filters: [
          {
            name: 'envoy.filters.network.redis_proxy',
            typed_config: any('envoy.extensions.filters.network.redis_proxy.v3.RedisProxy', proxy),
          },
        ],
      },
    ],
  };
}

function prefixRoutes({ prefixes, catchAll }: PrefixRoutes): EnvoyRoutes {
  return {
    routes: prefixes.map(({ prefix, removePrefix, upstream }) => ({
      prefix,
      cluster: upstream,
      ...(removePrefix ? { remove_prefix: true } : {}),
    })),
    ...(catchAll === undefined ? {} : { catch_all_route: { cluster: catchAll.upstream } }),
  };
}

/**
 * Never an empty password: Envoy would take it for none and let everybody in. A user name without any password is what
 * keeps a listener closed to all (Envoy 1.40).
 */
function downstreamAuth(
  auth: ClientAuth,
  write: Write,
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
        downstream_auth_passwords: [{ inline_string: write(auth.password) }],
      };
  }
}
