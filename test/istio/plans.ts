/** Plans of objects, for tests of what becomes of them in a mesh. */
import type { ApiObject } from '../../src/api/objects.ts';
import { planObjects } from '../../src/commands/translate-objects.ts';
import {
  envoyFiltersOf,
  ISTIO_DEFAULTS,
  type EnvoyFilters,
  type IstioOptions,
} from '../../src/istio/envoy-filters.ts';
import type { ServicePlan } from '../../src/plan/service-plan.ts';

export function plansOf(...objects: ApiObject[]): readonly ServicePlan[] {
  return planObjects(objects, {}).planner.plans();
}

export function filtersOf(objects: readonly ApiObject[], options: Partial<IstioOptions> = {}): EnvoyFilters {
  const write: IstioOptions['write'] = (secret) => secret.reveal();
  return envoyFiltersOf(plansOf(...objects), { ...ISTIO_DEFAULTS, write, ...options });
}
