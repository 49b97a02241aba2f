import { routesOf, type RoutingPlan, type UpstreamId } from '../plan/routing-plan.ts';

/** Upstreams of which some listener wants reads that replicas alone may answer. */
export function onlyReplicas({ listeners }: RoutingPlan): ReadonlySet<UpstreamId> {
  const reading = listeners.filter(({ listener }) => listener.readPolicy === 'REPLICA');
  const routes = reading.flatMap(({ listener }) => routesOf(listener));
  return new Set(routes.map(({ upstream, reads }) => reads ?? upstream));
}
