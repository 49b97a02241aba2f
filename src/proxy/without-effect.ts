/**
 * What objects ask for and this proxy does not do, or not as they say: a line each, so that nothing is ignored in silence.
 */
import type { Listener, RoutingPlan, Upstream } from '../plan/routing-plan.ts';

export interface Means {
  /** Where we are; undefined: not said. */
  readonly zone: string | undefined;
  /** Whether Node can set interval and probes of keepalive. */
  readonly knowsProbes: boolean;
}

export function withoutEffect(plan: RoutingPlan, means: Means): readonly string[] {
  const ofListeners = plan.listeners.flatMap(({ listener }) =>
    ofListener(listener, means).map((problem) => `${listener.id}: ${problem}`),
  );
  const ofUpstreams = [...plan.upstreams.values()].flatMap((upstream) =>
    ofUpstream(upstream, means).map((problem) => `${upstream.id}: ${problem}`),
  );
  return [...ofListeners, ...ofUpstreams];
}

function ofListener(
  { zoneAffinity, batching, maxUnknownConnections }: Listener,
  { zone }: Means,
): readonly string[] {
  const problems: string[] = [];
  if (zoneAffinity && zone === undefined) {
    problems.push('its zone affinity has no effect: say with --zone which zone this proxy is in');
  }
  if (batching !== undefined) {
    problems.push(
      'batching has no effect: the proxy gathers what is ready anyway, and holds nothing back for it',
    );
  }
  if (maxUnknownConnections !== undefined) {
    problems.push(
      'the limit of connections to unknown nodes has no effect: a node that no topology names is closed ' +
        '10 s after the last redirection to it',
    );
  }
  return problems;
}

function ofUpstream(upstream: Upstream, { knowsProbes }: Means): readonly string[] {
  if (upstream.mode === 'unavailable' || upstream.keepalive === undefined) return [];
  const { intervalSeconds, probes } = upstream.keepalive;
  if (knowsProbes || (intervalSeconds ?? probes) === undefined) return [];
  return [
    'interval and probes of tcpKeepalive have no effect: this Node can set the time only, Node 26 all three',
  ];
}
