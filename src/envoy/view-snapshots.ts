/**
 * The snapshots of all views that are asked for: one for all nodes that see the same.
 */
import type { Diagnostic } from '../api/diagnostic.ts';
import type { ServicePlan } from '../plan/service-plan.ts';
import { planForView, type View, type ViewPlan } from '../plan/view.ts';
import type { Snapshot } from './resource.ts';
import { snapshotOf } from './snapshot.ts';

interface Made {
  readonly generation: number;
  readonly view: View;
  readonly plan: ViewPlan;
  readonly snapshot: Snapshot;
}

export class ViewSnapshots {
  #services: readonly ServicePlan[] = [];
  #generation = 0;
  readonly #made = new Map<string, Made>();

  /** Follows a change of the plans; what nobody asked for since the last one is forgotten. */
  update(services: readonly ServicePlan[]): void {
    for (const [key, { generation }] of this.#made) {
      if (generation !== this.#generation) this.#made.delete(key);
    }
    this.#services = services;
    this.#generation += 1;
  }

  /** The same object as before where nothing changed for that view. */
  snapshotFor(view: View): Snapshot {
    return this.#make(view).snapshot;
  }

  planFor(view: View): ViewPlan {
    return this.#make(view).plan;
  }

  /** The views that were asked for lately. */
  views(): readonly View[] {
    return [...this.#made.values()].map(({ view }) => view);
  }

  /** Address conflicts in the views that were asked for. */
  diagnostics(): readonly Diagnostic[] {
    return [...this.#made.values()].flatMap(({ plan }) => plan.diagnostics);
  }

  #make(view: View): Made {
    const key = JSON.stringify([view.namespace, view.hosts, view.bindAddress]);
    const before = this.#made.get(key);
    if (before?.generation === this.#generation) return before;
    const plan = planForView(this.#services, view);
    const snapshot = snapshotOf(plan.plan, before?.snapshot);
    const made = { generation: this.#generation, view, plan, snapshot };
    this.#made.set(key, made);
    return made;
  }
}
