/**
 * Listeners and upstreams as patches: clusters of our own, redis_proxy in the place of tcp_proxy where Istio listens for a
 * host, and listeners of our own.
 *
 * Clusters and listeners always have names of our own: one that istiod makes too would be there twice, which Envoy refuses.
 */
import type { ObjectRef } from '../api/diagnostic.ts';
import { clusterMessage } from '../envoy/cluster.ts';
import { toJson } from '../envoy/json.ts';
import { listenerMessage, REDIS_PROXY, redisProxyFilter } from '../envoy/listener.ts';
import type { PlaceSecret } from '../envoy/secret-place.ts';
import type { Listener, Route, SocketAddress, Upstream, UpstreamId } from '../plan/routing-plan.ts';
import type { ConfigPatch, ListenerMatch } from './envoy-filter.ts';

/** What every name of a cluster of ours begins with. */
export const OWN_CLUSTERS = 'redpilot|';

/** What every name of a listener of ours begins with. */
export const OWN_LISTENERS = 'redpilot_';

export const TCP_PROXY = 'envoy.filters.network.tcp_proxy';

/** istiod makes redis_proxy itself where PILOT_ENABLE_REDIS_FILTER is set, else tcp_proxy. */
const REPLACED = [TCP_PROXY, REDIS_PROXY];

/**
 * By namespace and object, since EnvoyFilters of both the mesh and a namespace reach one sidecar, and several of one
 * namespace do. Not of four parts, as those are that istiod takes apart.
 */
export function clusterName(namespace: string, owner: ObjectRef, id: UpstreamId): string {
  return `${OWN_CLUSTERS}${namespace}/${owner.namespace}/${owner.name}|${id}`;
}

export function clusterPatch(upstream: Upstream, name: string, secrets: PlaceSecret): ConfigPatch {
  // Warming would keep all listeners of a starting sidecar closed while one Redis is down. Endpoints stand in the cluster:
  // istiod's own may be none at all, and a client's MULTI on an empty cluster crashes Envoy 1.40.
  const how = { secrets, place: 'inline', waitForWarm: false } as const;
  return add(
    'CLUSTER',
    toJson('envoy.config.cluster.v3.Cluster', clusterMessage({ ...upstream, id: name }, how)),
  );
}

/** In Istio's own listeners; `routed`: to names of clusters. */
export function filterPatches(
  routed: Listener,
  places: readonly ListenerPlace[],
  secrets: PlaceSecret,
): readonly ConfigPatch[] {
  const filter = toJson('envoy.config.listener.v3.Filter', redisProxyFilter(routed, secrets));
  return places.flatMap((place) =>
    REPLACED.map((name): ConfigPatch => ({
      applyTo: 'NETWORK_FILTER',
      match: {
        context: 'SIDECAR_OUTBOUND',
        listener: { ...place, filterChain: { filter: { name } } },
      },
      patch: { operation: 'REPLACE', value: filter },
    })),
  );
}

/** Which of Istio's listeners: by its name, or every one of a port. */
export type ListenerPlace = Pick<ListenerMatch, 'name'> | Pick<ListenerMatch, 'portNumber'>;

/** As istiod names the listener of a service's address. */
export function placeOfAddress(address: string, port: number): { readonly name: string } {
  return { name: `${address}_${port}` };
}

/** A listener of its own, bound for real: what an application sends to loopback is not intercepted. */
export function listenerPatch(routed: Listener, bind: SocketAddress, secrets: PlaceSecret): ConfigPatch {
  const message = listenerMessage({ listener: routed, bind }, secrets);
  const name = `${OWN_LISTENERS}${bind.address}_${bind.port}`;
  return add('LISTENER', toJson('envoy.config.listener.v3.Listener', { ...message, name }));
}

/** The listener with each upstream by the name of its cluster. */
export function routedTo(listener: Listener, nameOf: (id: UpstreamId) => string): Listener {
  const rename = <R extends Route>(route: R): R => ({
    ...route,
    upstream: nameOf(route.upstream),
    reads: route.reads === undefined ? undefined : nameOf(route.reads),
    mirrors: route.mirrors.map((mirror) => ({ ...mirror, upstream: nameOf(mirror.upstream) })),
  });
  const { prefixes, catchAll } = listener.routes;
  const routes = {
    ...listener.routes,
    prefixes: prefixes.map(rename),
    catchAll: catchAll && rename(catchAll),
  };
  return { ...listener, routes };
}

function add(applyTo: 'CLUSTER' | 'LISTENER', value: object): ConfigPatch {
  return { applyTo, match: { context: 'SIDECAR_OUTBOUND' }, patch: { operation: 'ADD', value } };
}
