/**
 * The snapshots of all views that are asked for: one for all nodes that see the same.
 *
 * A change costs what it changes, also a service that comes or goes; where it has to be decided anew who governs or who
 * listens where, it costs a pass over all services.
 */
import type { Diagnostic } from '../api/diagnostic.ts';
import type { PlanChange } from '../plan/planner.ts';
import type { ServicePlan } from '../plan/service-plan.ts';
import { planForView, type View, type ViewPlan } from '../plan/view.ts';
import { featuresUnknownTo, namesOf, planWithout, tellUnsupported } from './adapted-plan.ts';
import { MadeView } from './made-view.ts';
import type { Snapshot } from './resource-set.ts';
import { snapshotOf } from './snapshot.ts';

/** What one kind of node may see, and can. */
export interface NodeView extends View {
  /** `1.40.0`; undefined where the node does not say: it knows everything. */
  readonly envoyVersion?: string | undefined;
  /** Nobody carries it out: nothing is to say of it. */
  readonly isOnlooker?: boolean;
}

interface Made {
  readonly view: NodeView;
  readonly plan: MadeView;
  /** What is to say of each version among those of its nodes, which may lack the same. */
  readonly unsupported: Map<string | undefined, readonly Diagnostic[]>;
  /** Changes since it was made. */
  pending: PlanChange[];
  isAskedFor: boolean;
}

/** Lists all plans; asked only where a view has to be made. */
export type AllPlans = () => readonly ServicePlan[];

const keys = new WeakMap<NodeView, string>();

/** So many may be made before it is looked which of them are of use. */
const FEW_VIEWS = 64;

/** Of the nodes of one view; they may say any. */
const MOST_VERSIONS = 64;

export class ViewSnapshots {
  readonly #plans: AllPlans;
  readonly #inUse: () => Iterable<NodeView>;
  readonly #made = new Map<string, Made>();
  #mostMade = FEW_VIEWS;
  /** undefined until the first change. */
  #counts: { readonly listeners: Counts; readonly keptUpstreams: Counts } | undefined;
  /** Counts what may have changed `diagnostics`, beside `update`. */
  toldAnew = 0;

  /** `inUse`: the views of the nodes that are connected, here or elsewhere: they are asked for again. */
  constructor(plans: AllPlans, inUse: () => Iterable<NodeView> = () => []) {
    this.#plans = plans;
    this.#inUse = inUse;
  }

  /** Follows a change of the plans; what nobody asked for since the last one, and no node has, is forgotten. */
  update(changes: Iterable<PlanChange>): void {
    const all = [...changes];
    this.#count(all);
    // Two changes may follow each other before anybody could ask.
    if ([...this.#made.values()].some(({ isAskedFor }) => !isAskedFor)) {
      this.#forgetUnused(({ isAskedFor }) => !isAskedFor);
    }
    for (const made of this.#made.values()) {
      made.isAskedFor = false;
      made.pending.push(...all);
    }
  }

  /** The same object as before where nothing changed for that view. */
  snapshotFor(view: NodeView): Snapshot {
    return (this.#madeForOthers(view) ?? this.#make(view)).plan.snapshot;
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
    for (const [key, { view, plan, unsupported }] of this.#made) {
      if (view.isOnlooker === true) continue;
      all.set(key, plan.diagnostics);
      for (const [version, found] of unsupported) if (found.length > 0) all.set(`${key} ${version}`, found);
    }
    return all;
  }

  /** Who only looks takes what is made for nodes that see the same, and asks for nothing. */
  #madeForOthers({ isOnlooker = false, ...view }: NodeView): Made | undefined {
    const there = isOnlooker ? this.#made.get(keyOf(view)) : undefined;
    if (there === undefined) return undefined;
    // Its own from before would gather changes that nobody asks for.
    this.#made.delete(keyOf({ ...view, isOnlooker }));
    const { isAskedFor } = there;
    const made = this.#make(there.view);
    made.isAskedFor = isAskedFor;
    return made;
  }

  #make(view: NodeView): Made {
    const key = keyOf(view);
    const before = this.#made.get(key);
    const outcome = before === undefined ? 'anew' : this.#bringUpToDate(before);
    const made = before === undefined || outcome === 'anew' ? this.#makeAnew(view, key, before) : before;
    made.isAskedFor = true;
    const isFull = made.unsupported.size === MOST_VERSIONS && !made.unsupported.has(view.envoyVersion);
    if (outcome === 'other features' || isFull) made.unsupported.clear();
    if (!made.unsupported.has(view.envoyVersion)) {
      made.unsupported.set(view.envoyVersion, tellUnsupported(made.plan.listeners(), view.envoyVersion));
      this.toldAnew += 1;
    }
    return made;
  }

  /** Every stream asks after each change, and all but the first ask for what is made. */
  #bringUpToDate(made: Made): ReturnType<MadeView['apply']> {
    if (made.pending.length === 0) return 'done';
    const outcome = made.plan.apply(made.pending, this.#counts ?? NO_COUNTS);
    made.pending = [];
    return outcome;
  }

  #makeAnew(view: NodeView, key: string, before: Made | undefined): Made {
    if (before === undefined && this.#made.size >= this.#mostMade) {
      // Nodes come and go also while nothing changes, and each may ask for what no other sees.
      this.#forgetUnused(() => true);
      this.#mostMade = Math.max(FEW_VIEWS, 2 * this.#made.size);
    }
    const unknown = featuresUnknownTo(view.envoyVersion);
    const plan = new MadeView(view, planForView(this.#plans(), view), unknown, before?.plan.snapshot);
    const made: Made = { view, plan, unsupported: new Map(), pending: [], isAskedFor: true };
    this.#made.set(key, made);
    this.toldAnew += 1;
    return made;
  }

  #forgetUnused(mayGo: (made: Made) => boolean): void {
    const used = new Set(Array.from(this.#inUse(), keyOf));
    for (const [key, made] of this.#made) if (mayGo(made) && !used.has(key)) this.#made.delete(key);
  }

  #count(changes: readonly PlanChange[]): void {
    if (this.#counts === undefined) {
      this.#counts = { listeners: new Map(), keptUpstreams: new Map() };
      for (const plan of this.#plans()) this.#countPlan(plan, 1);
      return;
    }
    for (const { before, after } of changes) {
      this.#countPlan(before, -1);
      this.#countPlan(after, 1);
    }
  }

  #countPlan(plan: ServicePlan | undefined, change: 1 | -1): void {
    if (plan === undefined || this.#counts === undefined) return;
    count(this.#counts.listeners, plan.listeners, change);
    if (plan.isLastGood) count(this.#counts.keptUpstreams, plan.upstreams, change);
  }
}

type Counts = Map<string, number>;
const NO_COUNTS = { listeners: new Map(), keptUpstreams: new Map() } as const;

function count(counts: Counts, counted: readonly { readonly id: string }[], change: 1 | -1): void {
  for (const { id } of counted) {
    const next = (counts.get(id) ?? 0) + change;
    if (next === 0) counts.delete(id);
    else counts.set(id, next);
  }
}

function keyOf(view: NodeView): string {
  let key = keys.get(view);
  if (key === undefined) {
    const unknown = namesOf(featuresUnknownTo(view.envoyVersion));
    key = JSON.stringify([view.namespace, view.hosts, view.bindAddress, unknown, view.isOnlooker]);
    keys.set(view, key);
  }
  return key;
}
