/**
 * Wires the EnvoyFilters of a mesh to the plans that they carry out.
 */
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';

import type { SecretText } from '../api/secret-text.ts';
import { envoyFiltersOf, ISTIO_DEFAULTS, type IstioOptions } from '../istio/envoy-filters.ts';
import { MeshKeeper } from '../mesh/keeper.ts';
import type { ServicePlan } from '../plan/service-plan.ts';
import type { KubernetesSource } from '../sources/kubernetes/watch.ts';

/** What the administrator says of the mesh. */
export type MeshSettings = Pick<
  IstioOptions,
  'allowedNamespaces' | 'rootNamespace' | 'priority' | 'envoyVersion'
>;

export interface MeshWiring {
  readonly settings: MeshSettings;
  readonly cluster: KubernetesSource;
  /** Those that are followed; empty: all. */
  readonly namespaces: readonly string[];
  readonly controlPlane: string;
  readonly plans: () => readonly ServicePlan[];
  readonly mayWrite: () => boolean;
  readonly onChange: () => void;
  readonly log: Logger;
  readonly metrics: Registry;
}

/** Begins at once; `wake` it when plans or objects have changed. */
export function keepMesh(wiring: MeshWiring): MeshKeeper {
  const { settings, cluster, namespaces, plans, mayWrite } = wiring;
  // What was written into EnvoyFilters: an answer that refuses one may quote it.
  let revealed = new Set<string>();
  const write = (secret: SecretText): string => {
    const text = secret.reveal();
    revealed.add(text);
    return text;
  };
  const { api } = cluster;
  const { controlPlane, onChange, log, metrics } = wiring;
  const keeper = new MeshKeeper({
    api,
    controlPlane,
    onChange,
    log,
    metrics,
    namespaces: followedNamespaces(namespaces, settings),
    mayWrite,
    redact: (text) => [...revealed].reduce((rest, secret) => rest.replaceAll(secret, '[redacted]'), text),
    wanted: (present) => {
      revealed = new Set();
      const all = plans();
      return {
        filters: envoyFiltersOf(all, { ...ISTIO_DEFAULTS, ...settings, write, present }),
        planned: new Set(all.map(({ origin }) => `${origin.namespace}/${origin.name}`)),
        owners: new Map(
          [...cluster.own()]
            .filter(({ kind }) => kind === 'RedisService')
            .map(({ namespace, name, uid }) => [`${namespace}/${name}`, uid]),
        ),
      };
    },
  });
  keeper.start();
  return keeper;
}

/** Where EnvoyFilters of ours may be. */
function followedNamespaces(
  namespaces: readonly string[],
  { allowedNamespaces, rootNamespace }: MeshSettings,
): readonly string[] {
  if (namespaces.length === 0) return [];
  const allowed = allowedNamespaces.map((namespace) => (namespace === '*' ? rootNamespace : namespace));
  return [...new Set([...namespaces, ...allowed])];
}
