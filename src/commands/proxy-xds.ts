/**
 * A proxy that carries out what a control plane serves.
 */
import { Counter, Gauge, type Registry } from 'prom-client';
import type { Logger } from 'pino';

import type { NodeDescription } from '../envoy/node.ts';
import { ReceivedPlan } from '../envoy/received/plan.ts';
import { LISTENER_TYPE } from '../envoy/resource.ts';
import { ListenProblems, type Proxy } from '../proxy/proxy.ts';
import type { CertificateFiles } from '../tls/certificate-files.ts';
import { followXds, type Follower, type HostAndPort, type Receiver } from '../xds/index.ts';

export interface ControlPlaneToFollow {
  readonly xdsAddress: HostAndPort;
  readonly tls: CertificateFiles | undefined;
  readonly node: Omit<NodeDescription, 'drainSeconds' | 'userAgent'>;
}

/** As it tells the control plane who it is. */
const USER_AGENT = 'redpilot proxy';

/** Every change that comes is carried out from the next command on; without a control plane the last plan goes on. */
export async function followControlPlane(
  proxy: Proxy,
  { xdsAddress: address, tls, node }: ControlPlaneToFollow,
  { log, metrics }: { readonly log: Logger; readonly metrics: Registry },
): Promise<Follower> {
  const follower = await followXds({
    address,
    tls,
    // A command that is under way keeps what it needs: the control plane has nothing to wait for.
    node: { ...node, drainSeconds: 0, userAgent: USER_AGENT },
    receiver: receiverFor(proxy),
    log,
  });
  void new Gauge({
    name: 'redpilot_proxy_control_plane_connected',
    help: '1: what the control plane serves is followed; 0: what it said last is in force',
    registers: [metrics],
    // Of several workers: whether all of them follow.
    aggregator: 'min',
    collect() {
      this.set(Number(follower.isConnected));
    },
  });
  void new Counter({
    name: 'redpilot_proxy_xds_rejections_total',
    help: 'Responses of the control plane in which something could not be carried out',
    registers: [metrics],
    collect() {
      this.reset();
      this.inc(follower.refused);
    },
  });
  return follower;
}

function receiverFor(proxy: Proxy): Receiver {
  const received = new ReceivedPlan();
  // Clusters alone are no plan: the first one is made when the listeners come.
  let hasListeners = false;
  return {
    apply: async (typeUrl, changed, removed) => {
      const refused = new Map(received.apply(typeUrl, changed, removed));
      hasListeners ||= typeUrl === LISTENER_TYPE;
      if (!hasListeners) return refused;
      try {
        await proxy.update(received.plan());
      } catch (error) {
        if (!(error instanceof ListenProblems)) throw error;
        if (typeUrl !== LISTENER_TYPE) return refused;
        for (const { name } of changed) {
          const problem = error.problems.get(name);
          if (problem !== undefined) refused.set(name, `${problem}; ${ListenProblems.REMEDY}`);
        }
      }
      return refused;
    },
    endpointsNames: () => received.endpointsNames(),
    missingEndpoints: () => received.missingEndpoints(),
  };
}
