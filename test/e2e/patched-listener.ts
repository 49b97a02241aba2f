/**
 * A listener as istiod makes it for a Service's address, and what becomes of it by EnvoyFilters: istiod's rules, as far as
 * our patches need them.
 */
import type { ConfigPatch, EnvoyFilterBody } from '../../src/istio/envoy-filter.ts';

interface FilterChain {
  readonly filters: readonly { readonly name: string }[];
}

interface Listener {
  readonly name: string;
  readonly filter_chains: readonly FilterChain[];
}

export interface Resources {
  readonly clusters: readonly object[];
  readonly listeners: readonly Listener[];
}

export const ISTIOS_CLUSTER = { name: 'istios', type: 'STATIC', connect_timeout: '1s' };

/** As istiod makes it, but for being bound. */
export function tcpListener(address: string, port: number): Listener & { readonly address: object } {
  const type = 'type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy';
  const filter = {
    name: 'envoy.filters.network.tcp_proxy',
    typed_config: { '@type': type, stat_prefix: 'istios', cluster: 'istios' },
  };
  return {
    name: `${address}_${port}`,
    address: { socket_address: { address, port_value: port } },
    filter_chains: [{ filters: [filter] }],
  };
}

/** Those of a lower priority come first. */
export function patched(resources: Resources, bodies: readonly Pick<EnvoyFilterBody, 'spec'>[]): Resources {
  return bodies
    .toSorted((a, b) => a.spec.priority - b.spec.priority)
    .flatMap(({ spec }) => spec.configPatches)
    .reduce(apply, resources);
}

/** The filters that the listener `ADDRESS_PORT` ends up with. */
export function patchedListener(
  name: string,
  bodies: readonly Pick<EnvoyFilterBody, 'spec'>[],
): FilterChain['filters'] {
  const [address = '', port = ''] = name.split('_');
  const { listeners } = patched({ clusters: [], listeners: [tcpListener(address, Number(port))] }, bodies);
  return listeners.flatMap(({ filter_chains: chains }) => chains.flatMap(({ filters }) => filters));
}

function apply({ clusters, listeners }: Resources, { applyTo, match, patch }: ConfigPatch): Resources {
  switch (applyTo) {
    case 'CLUSTER':
      return { clusters: [...clusters, patch.value], listeners };
    case 'LISTENER':
      return { clusters, listeners: [...listeners, patch.value as Listener] };
    case 'NETWORK_FILTER':
      return {
        clusters,
        listeners: listeners.map((listener) =>
          listener.name === match.listener?.name
            ? replaced(listener, match.listener.filterChain.filter.name, patch.value as { name: string })
            : listener,
        ),
      };
  }
}

/** The first of that name in each chain; nothing where there is none. */
function replaced(listener: Listener, name: string, filter: { readonly name: string }): Listener {
  const replace = ({ filters }: FilterChain): FilterChain => {
    const at = filters.findIndex((one) => one.name === name);
    return { filters: at < 0 ? filters : filters.with(at, filter) };
  };
  return { ...listener, filter_chains: listener.filter_chains.map(replace) };
}
