/**
 * Addresses to listen on that EnvoyFilters have which stay as they are: one that is given twice is refused by Envoy.
 */
import type { HeldAddress } from './governed.ts';
import { proxiesIn } from './invariants.ts';
import { list, map, text } from './loose-json.ts';

/** `spec`: of an EnvoyFilter of ours in that namespace, as it is there. */
export function heldAddresses(namespace: string, owner: string, spec: unknown): readonly HeldAddress[] {
  return list(map(spec)['configPatches']).flatMap((patch): readonly HeldAddress[] => {
    if (patch['applyTo'] !== 'LISTENER') return [];
    const socket = map(map(map(map(patch['patch'])['value'])['address'])['socket_address']);
    const [address, port] = [text(socket['address']), socket['port_value']];
    if (address === '' || typeof port !== 'number') return [];
    const of = text(map(proxiesIn([patch])[0])['stat_prefix']);
    return [{ namespace, owner, address, port, of }];
  });
}
