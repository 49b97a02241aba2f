/**
 * RedisDestinations that shape nothing: a host that is misspelt, or a namespace in which they do not count.
 *
 * Looks at every object, so it is for whoever asks, not for every change.
 */
import { diagnosticOf, type Diagnostic } from '../api/diagnostic.ts';
import { hostKey } from '../api/host-name.ts';
import type { RedisDestination } from '../api/objects.ts';
import { isStandIn } from '../api/refused-destination.ts';
import { WorldReader } from '../world/world-reader.ts';
import type { World } from '../world/world.ts';
import { resolveHost, routedHosts } from './hosts.ts';

export function tellIdleDestinations(world: World): readonly Diagnostic[] {
  const { clusterDomain } = world.options;
  const routed = new Map<string, Set<string>>();
  const destinations: RedisDestination[] = [];
  for (const object of world.objects()) {
    // Of a refused one it is told what is wrong with it.
    if (object.kind === 'RedisDestination' && !isStandIn(object)) destinations.push(object);
    if (object.kind !== 'RedisService') continue;
    for (const host of object.rules.length === 0 ? object.hosts : routedHosts(object)) {
      const key = hostKey(host, object.namespace, clusterDomain);
      routed.set(key, (routed.get(key) ?? new Set()).add(object.namespace));
    }
  }
  const reader = new WorldReader(world, new Set());
  return destinations.flatMap((destination) => {
    const { namespace } = destination;
    const host = resolveHost(reader, destination.host, namespace);
    const from = routed.get(host.key) ?? new Set();
    if (from.has(namespace) || (from.size > 0 && namespace === host.namespace)) return [];
    const message =
      from.size === 0
        ? `no RedisService that can be used routes to ${host.id}, so it has no effect; correct the host, or remove it`
        : `is for RedisServices of ${namespace} only, and those that route to ${host.id} are of ${[...from].sort().join(', ')}; ` +
          `put it into a namespace of these${host.namespace === undefined ? '' : `, or for all into ${host.namespace}`}`;
    return diagnosticOf(destination, 'warning', 'HostNotFound', ['spec', 'host'], message);
  });
}
