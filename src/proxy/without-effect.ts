/**
 * What objects ask for and this proxy does not do, or not as they say: a line each, so that nothing is ignored in silence.
 */
import type { RoutingPlan } from '../plan/routing-plan.ts';

export interface Means {
  readonly zone?: string | undefined;
}

export function withoutEffect(plan: RoutingPlan, { zone }: Means): readonly string[] {
  return plan.listeners.flatMap(({ listener }) =>
    listener.zoneAffinity && zone === undefined
      ? [`${listener.id}: its zone affinity has no effect: say with --zone which zone this proxy is in`]
      : [],
  );
}
