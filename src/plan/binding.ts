/**
 * The annotation redpilot.dev/listen: which listener of an object asks for which address.
 */
import { BlockList, isIP } from 'node:net';

import { hostKey } from '../api/host-name.ts';
import { addressOf } from '../api/host-port.ts';
import type { ListenAddress, RedisService } from '../api/objects.ts';
import type { WorldReader } from '../world/world-reader.ts';
import type { Problems } from './problems.ts';
import type { SocketAddress } from './routing-plan.ts';
import { placeName, type Place } from './upstream.ts';

const PATH = ['metadata', 'annotations', 'redpilot.dev/listen'];

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4');
LOOPBACK.addAddress('::1', 'ipv6');

/**
 * By the name of the place (`placeName`); what can't be has been told and blocks the object. `refusedHosts`: hosts, by key,
 * that have none of their places, or not all.
 */
export function listenAddresses(
  world: WorldReader,
  service: RedisService,
  places: readonly Place[],
  refusedHosts: ReadonlySet<string>,
  problems: Problems,
): ReadonlyMap<string, SocketAddress> {
  const found = new Map<string, SocketAddress>();
  const takenBy = new Map<string, string>();
  const keyOf = (host: string): string => hostKey(host, service.namespace, world.clusterDomain);
  const refuse = (message: string): void => problems.block('InvalidValue', service, PATH, message);
  for (const entry of service.annotations.listen) {
    const { address, port } = entry;
    const place = placeOf(entry, places, keyOf);
    if (typeof place === 'string') {
      const isTold = entry.of === undefined ? places.length === 0 : refusedHosts.has(keyOf(entry.of.host));
      if (isTold) continue;
      refuse(place);
      continue;
    }
    if (!contains(LOOPBACK, address) && !contains(world.options.allowBind, address)) {
      refuse(
        `${address} is beyond loopback; --allow-bind ${address}/${isIP(address) === 6 ? 128 : 32} allows it`,
      );
      continue;
    }
    const name = placeName(place);
    const text = `${address} ${port}`;
    const holder = takenBy.get(text);
    if (holder !== undefined) {
      const both = holder === name ? `is given twice for ${name}` : `is given to both ${holder} and ${name}`;
      refuse(`port ${port} of ${address} ${both}; write an address for each`);
    } else if (found.has(name)) {
      refuse(`${name} has two addresses; remove one of them`);
    } else {
      takenBy.set(text, name);
      found.set(name, { address, port });
    }
  }
  return found;
}

function contains(list: BlockList | undefined, address: string): boolean {
  return list?.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4') ?? false;
}

/** Or what is wrong. */
function placeOf(
  { of }: ListenAddress,
  places: readonly Place[],
  keyOf: (host: string) => string,
): Place | string {
  const candidates = places.filter(
    ({ host, port }) =>
      of === undefined || (keyOf(of.host) === host.key && (of.port === undefined || of.port === port)),
  );
  const [first, ...others] = candidates;
  if (first !== undefined && others.length === 0) return first;
  const listed = (some: readonly Place[]): string => some.map(placeName).join(', ');
  if (of === undefined)
    return `names one address for ${listed(candidates)}; write HOST[:PORT]=ADDRESS:PORT for each`;
  const what = of.port === undefined ? of.host : addressOf(of.host, of.port);
  return first === undefined
    ? `"${what}" is none of this object's listeners; it has ${listed(places)}`
    : `"${what}" has several ports; write one of ${listed(candidates)} before the =`;
}
