/**
 * Plans → EnvoyFilters: one for each RedisService and namespace whose sidecars carry it out.
 *
 * Pure. Who writes them asks for all of them after each change, writes `write` where it differs from what is there, and
 * removes what has our label and is neither in `write` nor in `keep`.
 */
import type { Diagnostic, ObjectRef } from '../api/diagnostic.ts';
import type { SecretText } from '../api/secret-text.ts';
import { clusterMessage } from '../envoy/cluster.ts';
import { toJson } from '../envoy/json.ts';
import { listenerMessage } from '../envoy/listener.ts';
import type { Listener, Route, UpstreamId } from '../plan/routing-plan.ts';
import type { ServicePlan } from '../plan/service-plan.ts';
import { upstreamsOf } from '../plan/view.ts';
import {
  MANAGED_BY,
  OWNER_ANNOTATION,
  type ConfigPatch,
  type EnvoyFilterBody,
  type EnvoyFilterDocument,
  type FilterRef,
} from './envoy-filter.ts';

/** What the administrator says of the mesh. */
export interface IstioOptions {
  /** Whose sidecars objects of other namespaces may reach, too (`--istio-namespaces`); `*`: the whole mesh's. */
  readonly allowedNamespaces: readonly string[];
  /** EnvoyFilters of this one hold for the whole mesh; `istio-system` where nothing else is said. */
  readonly rootNamespace: string;
  /** Where Secrets are mounted into istio-proxy, each in a folder of its name; an absolute path. */
  readonly secretsDirectory: string;
  /** Of all our EnvoyFilters; later ones see what earlier ones did. */
  readonly priority: number;
  /** How secrets are written: revealed for the API server, redacted for people. */
  readonly write: (secret: SecretText) => string;
  /** What is there now: a host that can't be served keeps what it had of it. */
  readonly present?: (filter: FilterRef) => EnvoyFilterBody['spec'] | undefined;
}

export const ISTIO_DEFAULTS = {
  allowedNamespaces: [],
  rootNamespace: 'istio-system',
  secretsDirectory: '/etc/redpilot/secrets',
  priority: 10,
} as const;

export interface EnvoyFilters {
  /** Sorted by namespace and name. */
  readonly write: readonly EnvoyFilterDocument[];
  /** Stay as they are, if they are there: what they carry out can't be written anew now. */
  readonly keep: readonly KeptFilter[];
  /** Beside what planning says of the objects; each has its object. */
  readonly diagnostics: readonly Diagnostic[];
}

export interface KeptFilter extends FilterRef {
  readonly owner: ObjectRef;
  /** One clause. */
  readonly why: string;
}

export function envoyFiltersOf(plans: readonly ServicePlan[], options: IstioOptions): EnvoyFilters {
  const write = plans
    .filter(({ listeners }) => listeners.length > 0)
    .map((plan) => documentOf(plan, plan.origin.namespace, options));
  return { write: write.sort(byNamespaceAndName), keep: [], diagnostics: [] };
}

function documentOf(plan: ServicePlan, namespace: string, options: IstioOptions): EnvoyFilterDocument {
  const { origin } = plan;
  const name = `redpilot-${origin.name}`;
  const wanted = new Set(plan.listeners.flatMap(upstreamsOf));
  const nameOf = (id: UpstreamId): string => `redpilot|${namespace}/${origin.namespace}/${origin.name}|${id}`;
  const clusters = plan.upstreams
    .filter(({ id }) => wanted.has(id))
    .map((upstream): ConfigPatch => {
      const message = clusterMessage(
        { ...upstream, id: nameOf(upstream.id) },
        { write: options.write, place: 'inline', waitForWarm: false },
      );
      const value = toJson('envoy.config.cluster.v3.Cluster', message);
      return add('CLUSTER', value);
    });
  const listeners = plan.listeners.flatMap((listener) => explicitListener(listener, nameOf, options));
  return {
    namespace,
    name,
    owner: origin,
    body: {
      apiVersion: 'networking.istio.io/v1alpha3',
      kind: 'EnvoyFilter',
      metadata: {
        namespace,
        name,
        labels: MANAGED_BY,
        annotations: { [OWNER_ANNOTATION]: `${origin.namespace}/${origin.name}` },
      },
      spec: { priority: options.priority, configPatches: [...clusters, ...listeners] },
    },
  };
}

/** A listener of its own, bound for real; undefined where the object asks for none. */
function explicitListener(
  listener: Listener,
  nameOf: (id: UpstreamId) => string,
  { write }: IstioOptions,
): readonly ConfigPatch[] {
  const { listen: bind } = listener;
  if (bind === undefined) return [];
  const message = listenerMessage({ listener: routedTo(listener, nameOf), bind }, write);
  const name = `redpilot_${bind.address}_${bind.port}`;
  return [add('LISTENER', toJson('envoy.config.listener.v3.Listener', { ...message, name }))];
}

function routedTo(listener: Listener, nameOf: (id: UpstreamId) => string): Listener {
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

function byNamespaceAndName(a: FilterRef, b: FilterRef): number {
  if (a.namespace !== b.namespace) return a.namespace < b.namespace ? -1 : 1;
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}
