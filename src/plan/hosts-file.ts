/**
 * Where the listeners of a plan listen, as lines of /etc/hosts (a pod's `hostAliases`).
 */
import { isIP } from 'node:net';

import { serviceOfHostKey } from '../api/host-name.ts';
import type { RoutingPlan } from './routing-plan.ts';

/** `ADDRESS NAME…` for each host that has a name; a Service by every form of its name that says its namespace. */
export function hostsFile({ listeners }: RoutingPlan, clusterDomain: string): string {
  const lines = new Set<string>();
  for (const { listener, bind } of listeners) {
    if (isIP(listener.host) !== 0) continue;
    const service = serviceOfHostKey(listener.host, clusterDomain);
    const short = service === undefined ? undefined : `${service.name}.${service.namespace}`;
    const names = short === undefined ? [listener.host] : [listener.host, `${short}.svc`, short];
    lines.add(`${bind.address} ${names.join(' ')}\n`);
  }
  return [...lines].sort().join('');
}
