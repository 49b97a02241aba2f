/**
 * One RedisService as the EnvoyFilter of one namespace.
 */
import { featuresUnknownTo, upstreamWithout, withoutFeatures } from '../envoy/adapted-plan.ts';
import type { PlaceSecret } from '../envoy/secret-place.ts';
import type { HostAddresses } from '../plan/hosts.ts';
import type { Problems } from '../plan/problems.ts';
import type { Listener, UpstreamId } from '../plan/routing-plan.ts';
import type { ServicePlan } from '../plan/service-plan.ts';
import { upstreamsOf } from '../plan/view.ts';
import {
  MANAGED_BY,
  OWNER_ANNOTATION,
  type ConfigPatch,
  type EnvoyFilterBody,
  type FilterRef,
} from './envoy-filter.ts';
import type { Governed } from './governed.ts';
import { list, map, text } from './loose-json.ts';
import {
  clusterName,
  clusterPatch,
  filterPatches,
  listenerPatch,
  placeOfAddress,
  routedTo,
  type ListenerPlace,
} from './patches.ts';
import { refusedAuth, refusedUpstream, SECRETS_PATH } from './secrets.ts';

export interface BodyOptions {
  readonly priority: number;
  readonly envoyVersion: string | undefined;
  readonly secrets: PlaceSecret;
  /** The spec that is there now. */
  readonly present: () => unknown;
}

/** undefined: none of the listeners can be served. What is wrong is added to `problems`. */
export function bodyOf(
  filter: FilterRef,
  plan: ServicePlan,
  governed: readonly Governed[],
  options: BodyOptions,
  problems: Problems,
): EnvoyFilterBody | undefined {
  const { origin } = plan;
  const nameOf = (id: UpstreamId): string => clusterName(filter.namespace, origin, id);
  const served: Listener[] = [];
  const filters: ConfigPatch[] = [];
  const listeners: ConfigPatch[] = [];
  for (const one of [...governed].sort(byId)) {
    const places = placesOf(one, options.present, problems);
    if (places.length === 0 && one.bind === undefined) continue;
    const listener = allowed(one, filter.namespace, options, problems);
    const routed = routedTo(listener, nameOf);
    served.push(listener);
    filters.push(...filterPatches(routed, places, options.secrets));
    if (one.bind !== undefined) listeners.push(listenerPatch(routed, one.bind, options.secrets));
  }
  if (served.length === 0) return undefined;
  const clusters = clusterPatches(
    filter,
    plan,
    new Set(served.flatMap(upstreamsOf)),
    nameOf,
    options,
    problems,
  );
  return {
    apiVersion: 'networking.istio.io/v1alpha3',
    kind: 'EnvoyFilter',
    metadata: {
      ...filter,
      labels: MANAGED_BY,
      annotations: { [OWNER_ANNOTATION]: `${origin.namespace}/${origin.name}` },
    },
    spec: { priority: options.priority, configPatches: [...clusters, ...filters, ...listeners] },
  };
}

function clusterPatches(
  { namespace }: FilterRef,
  { service, upstreams }: ServicePlan,
  wanted: ReadonlySet<UpstreamId>,
  nameOf: (id: UpstreamId) => string,
  { secrets, envoyVersion }: BodyOptions,
  problems: Problems,
): readonly ConfigPatch[] {
  const unknown = featuresUnknownTo(envoyVersion);
  return upstreams
    .filter(({ id }) => wanted.has(id))
    .sort(byId)
    .map((upstream) => {
      const { id } = upstream;
      const why = refusedUpstream(service, upstream, namespace);
      if (why !== undefined) {
        const message = `${why}; until then commands for ${id} are answered with an error`;
        problems.add('error', 'SecretNotAllowed', service, SECRETS_PATH, message);
      }
      const reached =
        why === undefined ? upstreamWithout(upstream, unknown) : ({ id, mode: 'unavailable', why } as const);
      return clusterPatch(reached, nameOf(id), secrets);
    });
}

/** The listener with as much of its wishes as sidecars may have. */
function allowed(
  { plan, listener }: Governed,
  namespace: string,
  { envoyVersion }: BodyOptions,
  problems: Problems,
): Listener {
  const { service } = plan;
  const known = withoutFeatures(listener, featuresUnknownTo(envoyVersion));
  const why = refusedAuth(service, listener.clientAuth, namespace);
  if (why === undefined) return known;
  const message = `${why}; until then every command is answered with an error`;
  problems.add('error', 'SecretNotAllowed', service, SECRETS_PATH, message);
  return { ...known, clientAuth: { kind: 'unavailable', why } };
}

/** Where Istio listens for the host; what can't be known stays as it was. */
function placesOf(
  { plan, listener, bind, addresses, isPortWide }: Governed,
  present: BodyOptions['present'],
  problems: Problems,
): readonly ListenerPlace[] {
  const { id, host, port } = listener;
  if (addresses !== undefined) return addresses.map((address) => placeOfAddress(address, port));
  if (isPortWide) return [{ portNumber: port }];
  const kept = placesIn(present(), id);
  if (bind !== undefined && kept.length === 0) return [];
  const stays = kept.length === 0 ? '' : '; until then sidecars keep what they have of it';
  const found = plan.addresses.get(id);
  const why = found?.kind === 'none' ? found.why : 'unknown';
  // That was told where it was looked for.
  if (why === 'gone') return kept;
  const message = `${NO_ADDRESS[why](host)}${stays}`;
  problems.add('error', 'UnsupportedByIstio', plan.service, ['spec', 'host'], message);
  return kept;
}

const LISTEN = 'give it an address to listen on (redpilot.dev/listen)';

type Why = Exclude<(HostAddresses & { kind: 'none' })['why'], 'gone'>;

const NO_ADDRESS: Readonly<Record<Why, (host: string) => string>> = {
  headless: (host) =>
    `${host} is headless: sidecars have no listener for it as a whole; add a Service with a cluster IP and the same ` +
    `selector and write its name here, ${LISTEN}, or take the whole port (redpilot.dev/istio-port-wide)`,
  external: (host) =>
    `${host} is an ExternalName: sidecars have no listener for it; write the name that it leads to here, and add a ` +
    `ServiceEntry with an address for that, or ${LISTEN}`,
  unassigned: (host) =>
    `the Service of ${host} has no cluster IP, so it is not known where sidecars listen for it; write spec.clusterIP ` +
    `into its file, or ${LISTEN}`,
  entry: (host) =>
    `the ServiceEntry of ${host} has no address of its own, or blocks of them only: sidecars have no listener for it ` +
    `alone; write one into spec.addresses, or ${LISTEN}`,
  unknown: (host) =>
    `no Service and no ServiceEntry says what ${host} is, so sidecars pass it by; add a ServiceEntry with an address, or ${LISTEN}`,
};

/** Of that listener, in the spec of an EnvoyFilter that we wrote earlier. */
function placesIn(spec: unknown, id: string): readonly ListenerPlace[] {
  const places = new Map<string, ListenerPlace>();
  for (const { match, patch } of list(map(spec)['configPatches'])) {
    const name = text(map(map(match)['listener'])['name']);
    const config = map(map(map(patch)['value'])['typed_config']);
    if (name !== '' && config['stat_prefix'] === id) places.set(name, { name });
  }
  return [...places.values()];
}

function byId(a: { readonly id: string } | Governed, b: { readonly id: string } | Governed): number {
  const [left, right] = [idOf(a), idOf(b)];
  return left < right ? -1 : left > right ? 1 : 0;
}

function idOf(one: { readonly id: string } | Governed): string {
  return 'id' in one ? one.id : one.listener.id;
}
