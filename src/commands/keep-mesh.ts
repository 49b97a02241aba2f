/**
 * Wires the EnvoyFilters of a mesh to the plans that they carry out.
 */
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';

import type { SecretText } from '../api/secret-text.ts';
import { envoyFiltersOf, ISTIO_DEFAULTS, type IstioOptions } from '../istio/envoy-filters.ts';
import { MeshKeeper } from '../mesh/keeper.ts';
import { Redaction } from '../mesh/redaction.ts';
import { unreadFilters } from '../mesh/unread.ts';
import { AddressHolders } from '../plan/address-holders.ts';
import type { ServicePlan } from '../plan/service-plan.ts';
import { isEmpty } from '../plan/targets.ts';
import type { ApiServer } from '../sources/kubernetes/api-server.ts';
import type { KubernetesSource } from '../sources/kubernetes/watch.ts';
import type { World } from '../world/world.ts';

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
  readonly cluster: Pick<KubernetesSource, 'own' | 'guessed'> & {
    readonly api: Pick<ApiServer, 'request' | 'lines'>;
  };
  /** Those that are followed; empty: all. */
  readonly namespaces: readonly string[];
  readonly controlPlane: string;
  readonly plans: () => readonly ServicePlan[];
  /** That they are plans of. */
  readonly world: () => World;
  readonly mayWrite: () => boolean;
  readonly onChange: () => void;
  readonly log: Logger;
  readonly metrics: Registry;
}

/** Begins at once; `wake` it when plans or objects have changed. */
export function keepMesh(wiring: MeshWiring): MeshKeeper {
  const { settings, cluster, namespaces, plans, world, mayWrite } = wiring;
  const redaction = new Redaction();
  const write = (secret: SecretText): string => {
    const text = secret.reveal();
    redaction.note(secret.isText ? text : secret.bytes().toString('base64'));
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
    rootNamespace: settings.rootNamespace,
    redact: (text) => redaction.redact(text),
    wanted: (present, everyFilter) => {
      // What would be made of a guess is not written: those keep what they have.
      const all = plans().filter((plan) => !isGuess(plan, cluster));
      const owners = new Map(
        [...cluster.own()]
          .filter(({ kind }) => kind === 'RedisService')
          .map(({ namespace, name, uid }) => [`${namespace}/${name}`, uid]),
      );
      const planned = new Set(all.map(({ origin }) => `${origin.namespace}/${origin.name}`));
      const unread = unreadFilters(everyFilter(), { planned, owners });
      const isUnread = (namespace: string): boolean => cluster.guessed('Service', namespace) !== undefined;
      const holders = new AddressHolders(world(), isUnread);
      const options = { ...ISTIO_DEFAULTS, ...settings, write, present, unread, holders };
      return { owners, filters: envoyFiltersOf(all, options) };
    },
  });
  keeper.start();
  return keeper;
}

/** It would be another one if what RBAC forbids could be read. */
function isGuess({ origin, upstreams }: ServicePlan, cluster: MeshWiring['cluster']): boolean {
  return (
    cluster.guessed('RedisDestination', origin.namespace) !== undefined ||
    (upstreams.some(isEmpty) && cluster.guessed('EndpointSlice', undefined) !== undefined)
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
