/** EnvoyFilters at a test's API server, as everybody reads them. */
import { eventually as within } from '../../src/demo/eventually.ts';
import { ApiError } from '../../src/sources/kubernetes/api-error.ts';
import type { Condition } from '../../src/status/conditions.ts';
import type { KubeCluster } from './kube-cluster.ts';
import { redisService } from './kube-objects.ts';
import { conditionsOf, shortly } from './kube-status.ts';

export const eventually = <T>(
  what: string,
  look: () => Promise<T | undefined> | T | undefined,
  seen: () => string = () => '',
): Promise<T> => within(what, look, { deadlineMs: 60_000, everyMs: 100, seen });

export interface Filter {
  readonly metadata: {
    readonly name: string;
    readonly uid: string;
    readonly resourceVersion: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly ownerReferences?: readonly { readonly uid: string }[];
  };
  readonly spec: { readonly configPatches: readonly unknown[] };
}

/** A RedisService of the host `cache`, and what it is annotated with. */
export function governing(
  namespace: string,
  settings: object = {},
  annotations: Readonly<Record<string, string>> = {},
): object {
  const object = redisService(namespace, 'cache', { settings }) as { readonly metadata: object };
  const full = Object.entries(annotations).map(([name, value]) => [`redpilot.dev/${name}`, value]);
  return { ...object, metadata: { ...object.metadata, annotations: Object.fromEntries(full) } };
}

export const PATHS = {
  envoyfilters: '/apis/networking.istio.io/v1alpha3',
  redisservices: '/apis/redis.aeraki.io/v1alpha1',
  services: '/api/v1',
} as const;

export interface MeshView {
  readonly ask: <T>(kind: keyof typeof PATHS, namespace: string, name?: string) => Promise<T | undefined>;
  readonly remove: (kind: keyof typeof PATHS, namespace: string, name?: string) => Promise<void>;
  /** `redpilot-cache`. */
  readonly filter: (namespace: string) => Promise<Filter | undefined>;
  /** By name. */
  readonly filtersIn: (namespace: string) => Promise<readonly string[]>;
  /** Resolves once it is there and has that text somewhere. */
  readonly written: (namespace: string, hint?: string) => Promise<Filter>;
  /** Of the RedisService `cache`, once it has that reason. */
  readonly condition: (namespace: string, type: string, reason: string) => Promise<Condition>;
}

/** `seen`: what to tell of the control plane where something does not come true. */
export function viewOfMesh(kube: KubeCluster, seen: () => string): MeshView {
  const ask = async <T>(
    kind: keyof typeof PATHS,
    namespace: string,
    name = '',
    method: 'GET' | 'DELETE' = 'GET',
  ): Promise<T | undefined> => {
    try {
      return (await kube.request(`${PATHS[kind]}/namespaces/${namespace}/${kind}/${name}`, { method })) as T;
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return undefined;
      throw error;
    }
  };
  const remove = async (kind: keyof typeof PATHS, namespace: string, name = 'cache'): Promise<void> => {
    await ask(kind, namespace, name, 'DELETE');
  };
  const filter = (namespace: string): Promise<Filter | undefined> =>
    ask<Filter>('envoyfilters', namespace, 'redpilot-cache');
  const filtersIn = async (namespace: string): Promise<readonly string[]> => {
    const found = await ask<{ readonly items: readonly Filter[] }>('envoyfilters', namespace);
    return (found?.items ?? []).map(({ metadata }) => metadata.name);
  };
  const written = (namespace: string, hint = ''): Promise<Filter> =>
    eventually(
      `an EnvoyFilter in ${namespace} with ${hint}`,
      async () => {
        const found = await filter(namespace);
        return found !== undefined && JSON.stringify(found.spec).includes(hint) ? found : undefined;
      },
      seen,
    );
  const condition = async (namespace: string, type: string, reason: string): Promise<Condition> => {
    let last = '';
    return await eventually(
      `${type} of ${namespace}: ${reason}`,
      async () => {
        const conditions = await conditionsOf(kube, { namespace });
        last = shortly(conditions);
        return conditions.find((found) => found.type === type && found.reason === reason);
      },
      () => `${last}\n${seen()}`,
    );
  };
  return { ask, remove, filter, filtersIn, written, condition };
}
