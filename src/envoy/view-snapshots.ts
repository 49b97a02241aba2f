/**
 * The snapshots of all views that are asked for: one for all nodes that see the same.
 *
 * A change of what is in force already costs what it changes; one that decides anew who governs or who listens where (a
 * service that comes or goes) costs a pass over all services.
 */
import type { Diagnostic } from '../api/diagnostic.ts';
import type { PlanChange } from '../plan/planner.ts';
import type { BoundListener, Listener, ListenerId, Upstream, UpstreamId } from '../plan/routing-plan.ts';
import type { ServicePlan } from '../plan/service-plan.ts';
import { isSameShape, planForView, type View, type ViewPlan } from '../plan/view.ts';
import {
  featuresUnknownTo,
  namesOf,
  planWithout,
  tellUnsupported,
  upstreamWithout,
  usedBy,
  withoutFeatures,
  type Feature,
} from './adapted-plan.ts';
import type { Snapshot } from './resource.ts';
import { snapshotOf, withParts } from './snapshot.ts';

/** What one kind of node may see, and can. */
export interface NodeView extends View {
  /** `1.40.0`; undefined where the node does not say: it knows everything. */
  readonly envoyVersion?: string | undefined;
}

interface Made {
  readonly view: NodeView;
  /** What its nodes do not know; those of several versions may lack the same. */
  readonly unknown: readonly Feature[];
  /** What is to say of each version among them. */
  readonly unsupported: Map<string | undefined, readonly Diagnostic[]>;
  readonly bound: Map<ListenerId, BoundListener>;
  readonly upstreams: Map<UpstreamId, Upstream>;
  readonly diagnostics: readonly Diagnostic[];
  snapshot: Snapshot;
  /** Changes since it was made; undefined: it has to be made anew. */
  pending: PlanChange[] | undefined;
  isAskedFor: boolean;
}

/** Lists all plans; asked only where a view has to be made. */
export type AllPlans = () => readonly ServicePlan[];

const keys = new WeakMap<NodeView, string>();

export class ViewSnapshots {
  readonly #plans: AllPlans;
  readonly #made = new Map<string, Made>();
  /** Counts what may have changed `diagnostics`, beside `update`. */
  toldAnew = 0;

  constructor(plans: AllPlans) {
    this.#plans = plans;
  }

  /** Follows a change of the plans; what nobody asked for since the last one is forgotten. */
  update(changes: Iterable<PlanChange>): void {
    const all = [...changes];
    const isInPlace = all.every(
      ({ before, after }) =>
        before === after || (before !== undefined && after !== undefined && isSameShape(before, after)),
    );
    for (const [key, made] of this.#made) {
      if (!made.isAskedFor) this.#made.delete(key);
      made.isAskedFor = false;
      if (isInPlace) made.pending?.push(...all);
      else made.pending = undefined;
    }
  }

  /** The same object as before where nothing changed for that view. */
  snapshotFor(view: NodeView): Snapshot {
    return this.#make(view).snapshot;
  }

  /** Encodes what such a view would see; nothing is told of it, since nobody asked for it. */
  encodeFor(view: NodeView): void {
    snapshotOf(this.planFor(view).plan, undefined);
  }

  planFor(view: NodeView): ViewPlan {
    const { plan, diagnostics } = planForView(this.#plans(), view);
    return { plan: planWithout(plan, featuresUnknownTo(view.envoyVersion)), diagnostics };
  }

  /** The views that were asked for lately. */
  views(): readonly NodeView[] {
    return [...this.#made.values()].map(({ view }) => view);
  }

  /**
   * Address conflicts in the views that were asked for, and what Envoys there do not know; the same list as before where
   * they are the same.
   */
  diagnostics(): ReadonlyMap<string, readonly Diagnostic[]> {
    const all = new Map<string, readonly Diagnostic[]>();
    for (const [key, { diagnostics, unsupported }] of this.#made) {
      all.set(key, diagnostics);
      for (const [version, found] of unsupported) if (found.length > 0) all.set(`${key} ${version}`, found);
    }
    return all;
  }

  #make(view: NodeView): Made {
    const key = keyOf(view);
    const before = this.#made.get(key);
    const made = before?.pending === undefined ? this.#makeAnew(view, key, before) : before;
    made.isAskedFor = true;
    if (made.pending !== undefined && made.pending.length > 0) applyPending(made, made.pending);
    made.pending = [];
    if (!made.unsupported.has(view.envoyVersion)) {
      const listeners = Array.from(made.bound.values(), ({ listener }) => listener);
      made.unsupported.set(view.envoyVersion, tellUnsupported(listeners, view.envoyVersion));
      this.toldAnew += 1;
    }
    return made;
  }

  #makeAnew(view: NodeView, key: string, before: Made | undefined): Made {
    const { plan, diagnostics } = planForView(this.#plans(), view);
    const unknown = featuresUnknownTo(view.envoyVersion);
    const made: Made = {
      view,
      unknown,
      unsupported: new Map(),
      bound: new Map(plan.listeners.map((bound) => [bound.listener.id, bound])),
      upstreams: new Map(plan.upstreams),
      diagnostics,
      snapshot: snapshotOf(planWithout(plan, unknown), before?.snapshot),
      pending: [],
      isAskedFor: true,
    };
    this.#made.set(key, made);
    this.toldAnew += 1;
    return made;
  }
}

function applyPending(made: Made, changes: readonly PlanChange[]): void {
  const listeners = new Map<ListenerId, BoundListener>();
  const upstreams = new Map<UpstreamId, Upstream>();
  for (const { before, after } of changes) {
    for (const [index, listener] of (after?.listeners ?? []).entries()) {
      const bound = made.bound.get(listener.id);
      // Another object's listener may govern.
      if (bound === undefined || bound.listener !== before?.listeners[index]) continue;
      listeners.set(listener.id, { listener: withoutFeatures(listener, made.unknown), bind: bound.bind });
      made.bound.set(listener.id, { listener, bind: bound.bind });
      if (lostBy(listener, made) !== lostBy(bound.listener, made)) made.unsupported.clear();
    }
    for (const upstream of after?.upstreams ?? []) {
      if (!made.upstreams.has(upstream.id)) continue;
      upstreams.set(upstream.id, upstreamWithout(upstream, made.unknown));
      made.upstreams.set(upstream.id, upstream);
    }
  }
  made.snapshot = withParts(made.snapshot, { upstreams: upstreams.values(), listeners: listeners.values() });
}

function lostBy(listener: Listener, { unknown }: Made): string {
  return namesOf(usedBy(listener, unknown));
}

function keyOf(view: NodeView): string {
  let key = keys.get(view);
  if (key === undefined) {
    const unknown = namesOf(featuresUnknownTo(view.envoyVersion));
    key = JSON.stringify([view.namespace, view.hosts, view.bindAddress, unknown]);
    keys.set(view, key);
  }
  return key;
}
