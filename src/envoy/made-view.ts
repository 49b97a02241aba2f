/**
 * One view as it was made, brought up to date by what has become of the plans since.
 *
 * Costs what changed as long as nothing has to be decided anew: who governs, who listens where, and which upstream is
 * meant. Where something has, `apply` says so, and the view is made again of all services.
 */
import type { Diagnostic } from '../api/diagnostic.ts';
import type { PlanChange } from '../plan/planner.ts';
import type { BoundListener, Listener, ListenerId, Upstream, UpstreamId } from '../plan/routing-plan.ts';
import type { ServicePlan } from '../plan/service-plan.ts';
import {
  AUTO_BIND,
  formatBind,
  isSameShape,
  isSeen,
  upstreamsOf,
  type View,
  type ViewPlan,
} from '../plan/view.ts';
import {
  namesOf,
  planWithout,
  upstreamWithout,
  usedBy,
  withoutFeatures,
  type Feature,
} from './adapted-plan.ts';
import type { Snapshot } from './resource-set.ts';
import { snapshotOf, withUpdates } from './snapshot.ts';

/** How many plans have something. */
export interface PlanCounts {
  readonly listeners: ReadonlyMap<ListenerId, number>;
  /** Of those that are kept as they were: what they remember of an upstream may be older than what others say. */
  readonly keptUpstreams: ReadonlyMap<UpstreamId, number>;
}

export class MadeView {
  readonly view: View;
  /** Address conflicts. Where there are any, every change of shape may end one or begin another. */
  readonly diagnostics: readonly Diagnostic[];
  readonly #unknown: readonly Feature[];
  readonly #bound: Map<ListenerId, BoundListener>;
  readonly #upstreams: Map<UpstreamId, Upstream>;
  readonly #addresses: Set<string>;
  /** How often listeners here name an upstream. */
  readonly #uses = new Map<UpstreamId, number>();
  #snapshot: Snapshot;

  /** `unknown`: what its nodes do not know. */
  constructor(view: View, { plan, diagnostics }: ViewPlan, unknown: readonly Feature[], before?: Snapshot) {
    this.view = view;
    this.diagnostics = diagnostics;
    this.#unknown = unknown;
    this.#bound = new Map(plan.listeners.map((bound) => [bound.listener.id, bound]));
    this.#upstreams = new Map(plan.upstreams);
    this.#addresses = new Set(plan.listeners.map(({ bind }) => formatBind(bind)));
    for (const { listener } of plan.listeners) this.#use(listener, 1);
    this.#snapshot = snapshotOf(planWithout(plan, unknown), before);
  }

  get snapshot(): Snapshot {
    return this.#snapshot;
  }

  listeners(): readonly Listener[] {
    return Array.from(this.#bound.values(), ({ listener }) => listener);
  }

  /**
   * `counts`: of all plans as they are after all the changes. 'anew': it is of no use any more; 'other features': it has
   * listeners now with other features that its nodes lack.
   */
  apply(changes: readonly PlanChange[], counts: PlanCounts): 'done' | 'other features' | 'anew' {
    const update = new Update();
    for (const { before, after } of changes) {
      if (before === after) continue;
      const isInPlace = before !== undefined && after !== undefined && isSameShape(before, after);
      if (isInPlace) this.#replace(before, after, update);
      else if (!this.#exchange(before, after, counts, update)) return 'anew';
    }
    this.#snapshot = withUpdates(this.#snapshot, update);
    return update.lost === 0 ? 'done' : 'other features';
  }

  #replace(before: ServicePlan, after: ServicePlan, update: Update): void {
    for (const [index, listener] of after.listeners.entries()) {
      const bound = this.#bound.get(listener.id);
      // Another object's listener may govern.
      if (bound === undefined || bound.listener !== before.listeners[index]) continue;
      if (this.#lostBy(listener) !== this.#lostBy(bound.listener)) update.lost += 1;
      this.#bind({ listener, bind: bound.bind }, update);
    }
    for (const upstream of after.upstreams) {
      if (this.#upstreams.has(upstream.id)) this.#setUpstream(upstream, update);
    }
  }

  /** False where it cannot be done without looking at the others. */
  #exchange(
    before: ServicePlan | undefined,
    after: ServicePlan | undefined,
    { listeners, keptUpstreams }: PlanCounts,
    update: Update,
  ): boolean {
    if (this.diagnostics.length > 0 || this.view.bindAddress === AUTO_BIND) return false;
    if (before?.isLastGood === true || after?.isLastGood === true) return false;
    const planned = [...(before?.upstreams ?? []), ...(after?.upstreams ?? [])];
    if (planned.some(({ id }) => keptUpstreams.has(id))) return false;
    for (const listener of before?.listeners ?? []) {
      const bound = this.#bound.get(listener.id);
      if (bound?.listener !== listener) continue;
      const own = after?.listeners.some(({ id }) => id === listener.id) === true ? 1 : 0;
      // Another one takes its place.
      if ((listeners.get(listener.id) ?? 0) > own) return false;
      if (this.#lostBy(listener) !== '') update.lost += 1;
      this.#unbind(bound, update);
    }
    for (const listener of after?.listeners ?? []) {
      if (!isSeen(listener, this.view)) continue;
      const bind = listener.listen ?? { address: this.view.bindAddress, port: listener.port };
      const hasRival = this.#bound.has(listener.id) || (listeners.get(listener.id) ?? 0) > 1;
      if (hasRival || this.#addresses.has(formatBind(bind))) return false;
      if (!this.#takeUpstreams(listener, after?.upstreams ?? [], update)) return false;
      if (this.#lostBy(listener) !== '') update.lost += 1;
      this.#addresses.add(formatBind(bind));
      this.#bind({ listener, bind }, update);
    }
    return true;
  }

  #bind(bound: BoundListener, update: Update): void {
    const { listener, bind } = bound;
    this.#bound.set(listener.id, bound);
    update.listeners.set(listener.id, { listener: withoutFeatures(listener, this.#unknown), bind });
  }

  #unbind({ listener, bind }: BoundListener, update: Update): void {
    this.#bound.delete(listener.id);
    this.#addresses.delete(formatBind(bind));
    update.listeners.set(listener.id, undefined);
    this.#use(listener, -1);
    for (const id of upstreamsOf(listener)) {
      if (this.#uses.has(id)) continue;
      this.#upstreams.delete(id);
      update.upstreams.set(id, undefined);
    }
  }

  #takeUpstreams(listener: Listener, planned: readonly Upstream[], update: Update): boolean {
    this.#use(listener, 1);
    for (const id of upstreamsOf(listener)) {
      const upstream = planned.find((each) => each.id === id);
      const there = this.#upstreams.get(id);
      if (upstream === undefined || (there !== undefined && there !== upstream)) return false;
      if (there === undefined) this.#setUpstream(upstream, update);
    }
    return true;
  }

  #setUpstream(upstream: Upstream, update: Update): void {
    this.#upstreams.set(upstream.id, upstream);
    update.upstreams.set(upstream.id, upstreamWithout(upstream, this.#unknown));
  }

  #use(listener: Listener, change: 1 | -1): void {
    for (const id of upstreamsOf(listener)) {
      const uses = (this.#uses.get(id) ?? 0) + change;
      if (uses === 0) this.#uses.delete(id);
      else this.#uses.set(id, uses);
    }
  }

  #lostBy(listener: Listener): string {
    return namesOf(usedBy(listener, this.#unknown));
  }
}

/** What becomes of a snapshot; the last word on each name counts. */
class Update {
  readonly upstreams = new Map<UpstreamId, Upstream | undefined>();
  readonly listeners = new Map<ListenerId, BoundListener | undefined>();
  /** How many listeners came, changed or went with features that the view's nodes lack. */
  lost = 0;
}
