/**
 * A RoutingPlan as a complete static Envoy configuration, which runs without a control plane.
 *
 * Built from the same messages as what goes over xDS, so that the two can't differ.
 */
import type { RoutingPlan } from '../plan/routing-plan.ts';
import { clusterMessage } from './cluster.ts';
import { endpointsMessage } from './endpoints.ts';
import { toJson } from './json.ts';
import { listenerMessage } from './listener.ts';
import { inMessage, type Write } from './secret-place.ts';

/** Plain JSON that `envoy --config-path` takes (it reads YAML as well). */
export function staticConfiguration(plan: RoutingPlan, write: Write): unknown {
  const secrets = inMessage(write);
  return toJson('envoy.config.bootstrap.v3.Bootstrap', {
    static_resources: {
      listeners: plan.listeners.map((bound) => listenerMessage(bound, secrets)),
      // A Redis that is down while Envoy starts must not keep the listeners closed.
      clusters: [...plan.upstreams.values()].map((upstream) =>
        clusterMessage(upstream, { secrets, place: 'inline', waitForWarm: false }),
      ),
    },
  });
}

/** The resources as they go over xDS: clusters, endpoints, listeners. */
export function resourcesAsJson(plan: RoutingPlan, write: Write): unknown {
  const secrets = inMessage(write);
  const upstreams = [...plan.upstreams.values()];
  return {
    clusters: upstreams.map((upstream) =>
      toJson(
        'envoy.config.cluster.v3.Cluster',
        clusterMessage(upstream, { secrets, place: 'eds', waitForWarm: true }),
      ),
    ),
    endpoints: upstreams
      .map(endpointsMessage)
      .filter((message) => message !== undefined)
      .map((message) => toJson('envoy.config.endpoint.v3.ClusterLoadAssignment', message)),
    listeners: plan.listeners.map((bound) =>
      toJson('envoy.config.listener.v3.Listener', listenerMessage(bound, secrets)),
    ),
  };
}
