/**
 * A sidecar as Istio makes it of EnvoyFilters, without an istiod: a real Envoy with the listener that istiod has for a
 * Service's address, to which our patches are applied by istiod's rules. What a real istiod makes of them is recorded
 * (test/istio); this one carries commands.
 */
import assert from 'node:assert/strict';

import { parseAllDocuments } from 'yaml';

import type { ApiObject } from '../../src/api/objects.ts';
import { parseObject } from '../../src/api/parse.ts';
import { translateToIstio } from '../../src/commands/translate-istio.ts';
import { startEnvoy, type EnvoyProcess } from '../../src/demo/envoy-process.ts';
import { formatDiagnosticLine } from '../../src/api/diagnostic.ts';
import type { ConfigPatch, EnvoyFilterBody } from '../../src/istio/envoy-filter.ts';
import { withoutDns, type Ending } from './sidecar.ts';

/** The governed Service's, so that a client connects to it as without a mesh; others have another. */
const GOVERNED = '127.0.0.1';
const OTHER = '127.77.0.1';

/** Of the first host of the RedisService in `texts`, on that port of 127.0.0.1. Stopped when the test ends. */
export async function startPatchedSidecar(
  t: Ending,
  options: { readonly envoy: string; readonly texts: readonly string[]; readonly port: number },
): Promise<EnvoyProcess> {
  const { envoy: binary, texts, port } = options;
  const objects = withAddresses(texts.flatMap(objectsOf));
  const { bodies, diagnostics } = translateToIstio(objects, {}, { write: (secret) => secret.reveal() });
  const wrong = diagnostics.filter(({ severity }) => severity === 'error').map(formatDiagnosticLine);
  assert.deepEqual(wrong, []);
  const resources = patched({ clusters: [], listeners: [tcpListener(port)] }, bodies);
  const envoy = await startEnvoy({
    binary,
    configuration: (path) => ({
      admin: { address: { pipe: { path } } },
      ...withoutDns(),
      static_resources: { ...resources, clusters: [...resources.clusters, ISTIOS_CLUSTER] },
    }),
  });
  t.after(() => envoy.stop());
  return envoy;
}

function objectsOf(text: string): readonly ApiObject[] {
  return parseAllDocuments(text).flatMap((document) => {
    const outcome = parseObject(document.toJS(), () => undefined);
    return outcome.kind === 'object' ? [outcome.object] : [];
  });
}

/** The addresses that an API server would give, and the leave to write passwords of Secrets. */
function withAddresses(objects: readonly ApiObject[]): readonly ApiObject[] {
  const [governed = ''] = objects.flatMap((object) => (object.kind === 'RedisService' ? object.hosts : []));
  return objects.map((object) => {
    if (object.kind === 'Service') {
      const isGoverned = governed.startsWith(`${object.name}.${object.namespace}.`);
      return { ...object, clusterIps: [isGoverned ? GOVERNED : OTHER] };
    }
    if (object.kind !== 'RedisService') return object;
    return { ...object, annotations: { ...object.annotations, istioSecrets: 'inline' as const } };
  });
}

interface FilterChain {
  readonly filters: readonly { readonly name: string }[];
}

interface Listener {
  readonly name: string;
  readonly filter_chains: readonly FilterChain[];
}

interface Resources {
  readonly clusters: readonly object[];
  readonly listeners: readonly Listener[];
}

const ISTIOS_CLUSTER = { name: 'istios', type: 'STATIC', connect_timeout: '1s' };

/** As istiod makes it, but for being bound. */
function tcpListener(port: number): Listener & { readonly address: object } {
  const type = 'type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy';
  const filter = {
    name: 'envoy.filters.network.tcp_proxy',
    typed_config: { '@type': type, stat_prefix: 'istios', cluster: 'istios' },
  };
  return {
    name: `${GOVERNED}_${port}`,
    address: { socket_address: { address: GOVERNED, port_value: port } },
    filter_chains: [{ filters: [filter] }],
  };
}

function patched(resources: Resources, bodies: readonly EnvoyFilterBody[]): Resources {
  return bodies.flatMap(({ spec }) => spec.configPatches).reduce(apply, resources);
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
