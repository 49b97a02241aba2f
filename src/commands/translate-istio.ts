/**
 * Objects → EnvoyFilters, once and without connecting to anything: what `translate --to istio` shows.
 */
import type { Diagnostic } from '../api/diagnostic.ts';
import type { ApiObject } from '../api/objects.ts';
import type { EnvoyFilterBody } from '../istio/envoy-filter.ts';
import { envoyFiltersOf, ISTIO_DEFAULTS, type IstioOptions } from '../istio/envoy-filters.ts';
import { limitsOf } from '../envoy/limits.ts';
import { tellIdleDestinations } from '../plan/idle-destinations.ts';
import type { WorldOptions } from '../world/world.ts';
import { planObjects } from './translate-objects.ts';

export function translateToIstio(
  objects: readonly ApiObject[],
  worldOptions: Partial<WorldOptions>,
  options: Pick<IstioOptions, 'write'> & Partial<IstioOptions>,
): { readonly bodies: readonly EnvoyFilterBody[]; readonly diagnostics: readonly Diagnostic[] } {
  const { planner, world } = planObjects(objects, worldOptions);
  const plans = planner.plans();
  const { write, diagnostics } = envoyFiltersOf(plans, { ...ISTIO_DEFAULTS, ...options });
  return {
    bodies: write.map(({ body }) => body),
    diagnostics: [
      ...planner.diagnostics(),
      ...tellIdleDestinations(world),
      ...limitsOf(plans),
      ...diagnostics,
    ],
  };
}
