/**
 * Plans → EnvoyFilters: one for each RedisService and namespace whose sidecars carry it out.
 *
 * Pure. Who writes them asks for all of them after each change, writes `write` where it differs from what is there, and
 * removes what has our label and is neither in `write` nor in `keep`.
 */
import type { Diagnostic, ObjectRef } from '../api/diagnostic.ts';
import { OLDEST_ENVOY } from '../envoy/envoy-version.ts';
import type { Write } from '../envoy/secret-place.ts';
import type { ServicePlan } from '../plan/service-plan.ts';
import { Problems } from '../plan/problems.ts';
import { AUDIENCE_PATH, audienceOf, holdsIn, mayReach, outOfReach, type MeshRights } from './audience.ts';
import type { EnvoyFilterDocument, FilterRef } from './envoy-filter.ts';
import { filterName } from './filter-name.ts';
import { governedIn, type Governed, type HeldAddress } from './governed.ts';
import { heldAddresses } from './held-addresses.ts';
import {
  isGoing,
  keptDocument,
  stillTheirs,
  takenPlaces,
  type Holders,
  type TakenPlaces,
} from './kept-filters.ts';
import { makeFilter } from './made-filter.ts';
import { placeSecrets } from './secrets.ts';

/** What the administrator says of the mesh. */
export interface IstioOptions extends MeshRights {
  /** Where Secrets are mounted into istio-proxy, each in a folder of its name; an absolute path. */
  readonly secretsDirectory: string;
  /** Of all our EnvoyFilters; later ones see what earlier ones did. */
  readonly priority: number;
  /** Of the oldest Envoy among the sidecars; what it lacks is left out, and told. */
  readonly envoyVersion: string | undefined;
  /** How secrets are written: revealed for the API server, redacted for people. */
  readonly write: Write;
  /** The spec that is there now: a host that can't be served keeps what it had of it. */
  readonly present?: (filter: FilterRef) => unknown;
  /** Those that are there and whose object can't be read: of it no plan is known. */
  readonly unread?: readonly UnreadFilter[];
  /** Whose an address is now, for hosts that keep what they had; undefined: that is not known. */
  readonly holders?: Holders | undefined;
}

export interface UnreadFilter extends FilterRef {
  readonly owner: ObjectRef;
}

export const ISTIO_DEFAULTS = {
  allowedNamespaces: [],
  rootNamespace: 'istio-system',
  secretsDirectory: '/etc/redpilot/secrets',
  priority: 10,
  envoyVersion: OLDEST_ENVOY,
  /** How long clusters stay that nothing routes to; Istio's drainDuration is 45 s, and all have to hear of it. */
  drainMs: 60_000,
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
  let held: readonly HeldAddress[] = [];
  for (;;) {
    const filters = envoyFiltersBeside(held, plans, options);
    // Which ones stay as they are is known when they could not be made; what they hold nobody else may get.
    const known = new Set(held.map((one) => JSON.stringify(one)));
    const others = filters.keep
      .flatMap(({ namespace, name, owner }) =>
        heldAddresses(namespace, `${owner.namespace}/${owner.name}`, options.present?.({ namespace, name })),
      )
      .filter((one) => !known.has(JSON.stringify(one)));
    if (others.length === 0) return filters;
    held = [...held, ...others];
  }
}

function envoyFiltersBeside(
  held: readonly HeldAddress[],
  plans: readonly ServicePlan[],
  options: IstioOptions,
): EnvoyFilters {
  const outcome: Outcome = { write: [], keep: [], problems: new Map() };
  const reaching = new Map<string, ServicePlan[]>();
  for (const plan of plans) {
    const problems = new Problems();
    outcome.problems.set(plan, problems);
    const { namespaces, refusals } = audienceOf(plan, options);
    for (const why of refusals)
      problems.add('error', 'NamespaceNotAllowed', plan.service, AUDIENCE_PATH, why);
    tellUnheld(plan, namespaces, options, problems);
    for (const namespace of namespaces) {
      const list = reaching.get(namespace);
      if (list === undefined) reaching.set(namespace, [plan]);
      else list.push(plan);
    }
  }
  const { rootNamespace } = options;
  const takenIn = new Map<string, TakenPlaces>();
  // What the whole mesh gets meets everything.
  const ofRoot = governedIn(rootNamespace, reaching.get(rootNamespace) ?? [], [], held, options);
  for (const [namespace, here] of reaching) {
    const heldHere = held.filter((one) => one.namespace === namespace || one.namespace === rootNamespace);
    const governed =
      namespace === rootNamespace ? ofRoot : governedIn(namespace, here, ofRoot, heldHere, options);
    const taken = takenPlaces(governed);
    takenIn.set(namespace, taken);
    addFilters(namespace, here, governed, taken, options, outcome);
  }
  for (const { owner, ...filter } of options.unread ?? []) {
    if (!mayReach(owner.namespace, filter.namespace, options)) continue;
    const taken = takenIn.get(filter.namespace) ?? new Map<string, string>();
    keep(filter, owner, "its object, or what belongs to it, can't be read", taken, options, outcome);
  }
  return {
    write: outcome.write.sort(byNamespaceAndName),
    keep: outcome.keep.sort(byNamespaceAndName),
    diagnostics: [...outcome.problems.values()].flatMap(({ found }) => found),
  };
}

interface Outcome {
  readonly write: EnvoyFilterDocument[];
  readonly keep: KeptFilter[];
  readonly problems: Map<ServicePlan, Problems>;
}

/** One for each plan that has something to say there. */
function addFilters(
  namespace: string,
  plans: readonly ServicePlan[],
  governed: readonly Governed[],
  taken: TakenPlaces,
  options: IstioOptions,
  outcome: Outcome,
): void {
  const byOwner = new Map<ServicePlan['service'], Governed[]>();
  for (const one of governed) {
    const list = byOwner.get(one.plan.service);
    if (list === undefined) byOwner.set(one.plan.service, [one]);
    else list.push(one);
  }
  for (const plan of plans) {
    const own = byOwner.get(plan.service) ?? [];
    const found = outcome.problems.get(plan) ?? new Problems();
    const { origin: owner } = plan;
    const filter: FilterRef = { namespace, name: filterName(owner, namespace) };
    const stay = (why: string): void => keep(filter, owner, why, taken, options, outcome);
    if (plan.listeners.length === 0) stay("its object can't be put in force as it is");
    if (own.length === 0) continue;
    const { priority, envoyVersion, secretsDirectory } = options;
    const made = makeFilter(filter, plan, own, {
      priority,
      envoyVersion,
      secrets: placeSecrets(plan.service, secretsDirectory, options.write),
      present: () => stillTheirs(filter, owner, options.present?.(filter), { ...options, taken }),
    });
    found.addAll(made.diagnostics);
    const { outcome: result } = made;
    if (result.kind === 'body') outcome.write.push({ ...filter, owner, body: result.body });
    else if (result.kind === 'kept') stay(result.why);
  }
}

/** As it is there, without what is somebody else's by now. */
function keep(
  filter: FilterRef,
  owner: ObjectRef,
  why: string,
  taken: TakenPlaces,
  options: IstioOptions,
  outcome: Outcome,
): void {
  const spec = options.present?.(filter);
  if (isGoing(spec)) return;
  const left = stillTheirs(filter, owner, spec, { ...options, taken });
  const document = left === spec ? undefined : keptDocument(filter, owner, left);
  if (document !== undefined) outcome.write.push(document);
  if (document !== undefined || left === spec) outcome.keep.push({ ...filter, owner, why });
}

/** What was asked for in words, and what the object's other words forbid. */
function tellUnheld(
  plan: ServicePlan,
  namespaces: readonly string[],
  options: IstioOptions,
  problems: Problems,
): void {
  for (const namespace of namespaces) {
    if (namespace === plan.origin.namespace) continue;
    for (const listener of plan.listeners) {
      if (holdsIn(listener, namespace, options)) continue;
      const message = outOfReach(listener, namespace, options);
      problems.add('error', 'NamespaceNotAllowed', plan.service, AUDIENCE_PATH, message);
    }
  }
}

function byNamespaceAndName(a: FilterRef, b: FilterRef): number {
  if (a.namespace !== b.namespace) return a.namespace < b.namespace ? -1 : 1;
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}
