/**
 * Objects → plan, once and without connecting to anything: what `translate` and `validate` show.
 */
import type { Diagnostic } from '../api/diagnostic.ts';
import type { ApiObject } from '../api/objects.ts';
import { limitsOf } from '../envoy/limits.ts';
import { tellIdleDestinations } from '../plan/idle-destinations.ts';
import { Planner } from '../plan/planner.ts';
import type { RoutingPlan } from '../plan/routing-plan.ts';
import { planForView } from '../plan/view.ts';
import { World, type WorldOptions } from '../world/world.ts';
import { CLUSTER_DOMAIN } from './arguments.ts';

export type TranslateOptions = Partial<WorldOptions> & { readonly bindAddress?: string };

/** Everything that a node without a namespace gets, on 127.0.0.1 where nothing else is said. */
export function translateObjects(
  objects: readonly ApiObject[],
  { bindAddress = '127.0.0.1', ...options }: TranslateOptions = {},
): {
  readonly plan: RoutingPlan;
  readonly diagnostics: readonly Diagnostic[];
} {
  const { planner, world } = planObjects(objects, options);
  const { plan, diagnostics } = planForView(planner.plans(), {
    namespace: undefined,
    hosts: undefined,
    bindAddress,
  });
  const ofObjects = [...planner.diagnostics(), ...tellIdleDestinations(world), ...limitsOf(planner.plans())];
  return { plan, diagnostics: [...ofObjects, ...diagnostics] };
}

export function planObjects(
  objects: readonly ApiObject[],
  options: Partial<WorldOptions>,
): { readonly planner: Planner; readonly world: World } {
  const { world, changed } = World.empty({ clusterDomain: CLUSTER_DOMAIN, ...options }).apply({
    set: objects,
    deleted: [],
  });
  const planner = new Planner();
  planner.update(world, changed);
  return { planner, world };
}
