/**
 * Wires the EnvoyFilters of a mesh to the plans that they carry out.
 */
import { isDeepStrictEqual } from 'node:util';

import type { Logger } from 'pino';
import type { Registry } from 'prom-client';

import type { SecretText } from '../api/secret-text.ts';
import type { FilterRef } from '../istio/envoy-filter.ts';
import {
  envoyFiltersOf,
  ISTIO_DEFAULTS,
  type EnvoyFilters,
  type IstioOptions,
} from '../istio/envoy-filters.ts';
import type { HeldAddress } from '../istio/governed.ts';
import { MeshKeeper } from '../mesh/keeper.ts';
import { Redaction } from '../mesh/redaction.ts';
import { heldByUnread } from '../mesh/unread.ts';
import type { ServicePlan } from '../plan/service-plan.ts';
import type { KubernetesSource } from '../sources/kubernetes/watch.ts';

/** What the administrator says of the mesh. */
export interface MeshSettings extends Pick<
  IstioOptions,
  'allowedNamespaces' | 'rootNamespace' | 'priority' | 'envoyVersion'
> {
  /** How long sidecars drain connections. */
  readonly drainMs: number;
}

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
  let last: Translated | undefined;
  const redaction = new Redaction();
  const write = (secret: SecretText): string => {
    const text = secret.reveal();
    redaction.note(text);
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
    drainMs: settings.drainMs,
    priority: settings.priority,
    redact: (text) => redaction.redact(text),
    wanted: (present, everyFilter) => {
      const all = plans();
      const known = {
        planned: new Set(all.map(({ origin }) => `${origin.namespace}/${origin.name}`)),
        owners: new Map(
          [...cluster.own()]
            .filter(({ kind }) => kind === 'RedisService')
            .map(({ namespace, name, uid }) => [`${namespace}/${name}`, uid]),
        ),
      };
      const held = heldByUnread(everyFilter(), known);
      if (last === undefined || !isSame(last, all, held, present)) {
        const looked = new Map<FilterRef, unknown>();
        const look = (filter: FilterRef): unknown => {
          const spec = present(filter);
          looked.set(filter, spec);
          return spec;
        };
        const options = { ...ISTIO_DEFAULTS, ...settings, write, present: look, held };
        last = { plans: all, held, looked, filters: envoyFiltersOf(all, options) };
      }
      return { ...known, filters: last.filters };
    },
  });
  keeper.start();
  return keeper;
}

interface Translated {
  readonly plans: readonly ServicePlan[];
  readonly held: readonly HeldAddress[];
  /** What was looked at of what is there. */
  readonly looked: ReadonlyMap<FilterRef, unknown>;
  readonly filters: EnvoyFilters;
}

/** Most looks are for what we have written ourselves, and find nothing new. */
function isSame(
  { plans, held, looked }: Translated,
  now: readonly ServicePlan[],
  heldNow: readonly HeldAddress[],
  present: (filter: FilterRef) => unknown,
): boolean {
  return (
    plans.length === now.length &&
    plans.every((plan, at) => plan === now[at]) &&
    isDeepStrictEqual(held, heldNow) &&
    [...looked].every(([filter, spec]) => present(filter) === spec)
  );
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
