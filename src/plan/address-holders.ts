/**
 * Whose an address is now, for what was written when it was another's.
 */
import { WorldReader } from '../world/world-reader.ts';
import type { World } from '../world/world.ts';
import { addressesOf, resolveHost, type HostAddresses } from './hosts.ts';

export class AddressHolders {
  readonly #world: World;
  /** Of Services; hardly anybody asks, so they are gathered for the first who does. */
  #ofServices: ReadonlySet<string> | undefined;

  constructor(world: World) {
    this.#world = world;
  }

  /** As an object of that namespace writes the host. */
  of(host: string, namespace: string): HostAddresses {
    return addressesOf(resolveHost(new WorldReader(this.#world, new Set()), host, namespace));
  }

  isOfService(address: string): boolean {
    this.#ofServices ??= new Set(
      [...this.#world.objects()].flatMap((object) => (object.kind === 'Service' ? object.clusterIps : [])),
    );
    return this.#ofServices.has(address);
  }
}
