import { routesOf, type RoutingPlan, type UpstreamId } from '../plan/routing-plan.ts';

/** Upstreams that get nothing but copies: whatever becomes of them, no client sees it. */
export function onlyCopies({ listeners }: RoutingPlan): ReadonlySet<UpstreamId> {
  const routes = listeners.flatMap(({ listener }) => routesOf(listener));
  const asked = new Set(routes.flatMap(({ upstream, reads }) => [upstream, reads]));
  const copied = routes.flatMap(({ mirrors }) => mirrors.map(({ upstream }) => upstream));
  return new Set(copied.filter((id) => !asked.has(id)));
}
