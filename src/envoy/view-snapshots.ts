/**
 * The snapshots of all views that are asked for: one for all nodes that see the same.
 *
 * A change of what is in force already costs what it changes; one that decides anew who governs or who listens where (a
 * service that comes or goes) costs a pass over all services.
 */
import type { Diagnostic } from '../api/diagnostic.ts';
import type { PlanChange } from '../plan/planner.ts';
import type { BoundListener, ListenerId, Upstream, UpstreamId } from '../plan/routing-plan.ts';
import type { ServicePlan } from '../plan/service-plan.ts';
import { isSameShape, planForView, type View, type ViewPlan } from '../plan/view.ts';
import type { Snapshot } from './resource.ts';
import { snapshotOf, withParts } from './snapshot.ts';

interface Made {
  readonly view: View;
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

const keys = new WeakMap<View, string>();

export class ViewSnapshots {
  readonly #plans: AllPlans;
  readonly #made = new Map<string, Made>();
  /** How often a view was made by a pass over all services. */
  madeAnew = 0;

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
  snapshotFor(view: View): Snapshot {
    return this.#make(view).snapshot;
  }

  planFor(view: View): ViewPlan {
    return planForView(this.#plans(), view);
  }

  /** The views that were asked for lately. */
  views(): readonly View[] {
    return [...this.#made.values()].map(({ view }) => view);
  }

  /** Address conflicts in the views that were asked for; the same list as before where they are the same. */
  diagnostics(): ReadonlyMap<string, readonly Diagnostic[]> {
    return new Map(Array.from(this.#made, ([key, { diagnostics }]) => [key, diagnostics]));
  }

  #make(view: View): Made {
    const key = keyOf(view);
    const before = this.#made.get(key);
    if (before?.pending !== undefined) {
      before.isAskedFor = true;
      if (before.pending.length > 0) applyPending(before, before.pending);
      before.pending = [];
      return before;
    }
    this.madeAnew += 1;
    const { plan, diagnostics } = planForView(this.#plans(), view);
    const made: Made = {
      view,
      bound: new Map(plan.listeners.map((bound) => [bound.listener.id, bound])),
      upstreams: new Map(plan.upstreams),
      diagnostics,
      snapshot: snapshotOf(plan, before?.snapshot),
      pending: [],
      isAskedFor: true,
    };
    this.#made.set(key, made);
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
      listeners.set(listener.id, { listener, bind: bound.bind });
      made.bound.set(listener.id, { listener, bind: bound.bind });
    }
    for (const upstream of after?.upstreams ?? []) {
      if (!made.upstreams.has(upstream.id)) continue;
      upstreams.set(upstream.id, upstream);
      made.upstreams.set(upstream.id, upstream);
    }
  }
  made.snapshot = withParts(made.snapshot, { upstreams: upstreams.values(), listeners: listeners.values() });
}

function keyOf(view: View): string {
  let key = keys.get(view);
  if (key === undefined) {
    key = JSON.stringify([view.namespace, view.hosts, view.bindAddress]);
    keys.set(view, key);
  }
  return key;
}
