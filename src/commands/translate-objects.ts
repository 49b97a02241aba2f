/**
 * Objects → plan, once and without connecting to anything: what `translate` and `validate` show.
 */
import type { Diagnostic } from '../api/diagnostic.ts';
import type { ApiObject } from '../api/objects.ts';
import { Planner } from '../plan/planner.ts';
import type { RoutingPlan } from '../plan/routing-plan.ts';
import { planForView } from '../plan/view.ts';
import { World } from '../world/world.ts';

export const CLUSTER_DOMAIN = 'cluster.local';

/** Everything that a node without a namespace gets, on loopback. */
export function translateObjects(objects: readonly ApiObject[]): {
  readonly plan: RoutingPlan;
  readonly diagnostics: readonly Diagnostic[];
} {
  const { world, changed } = World.empty({ clusterDomain: CLUSTER_DOMAIN }).apply({
    set: objects,
    deleted: [],
  });
  const planner = new Planner();
  planner.update(world, changed);
  const { plan, diagnostics } = planForView(planner.plans(), {
    namespace: undefined,
    hosts: undefined,
    bindAddress: '127.0.0.1',
  });
  return { plan, diagnostics: [...planner.diagnostics(), ...diagnostics] };
}
