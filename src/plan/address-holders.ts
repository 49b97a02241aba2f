/**
 * Whose an address is now, for what was written when it was another's.
 */
import { WorldReader } from '../world/world-reader.ts';
import type { World } from '../world/world.ts';
import { addressesOf, resolveHost, type HostAddresses } from './hosts.ts';

export class AddressHolders {
  readonly #world: World;
  readonly #isUnread: (namespace: string) => boolean;
  /** Of Services; hardly anybody asks, so they are gathered for the first who does. */
  #ofServices: ReadonlySet<string> | undefined;

  /** `isUnread`: the Services of a namespace are not known. */
  constructor(world: World, isUnread: (namespace: string) => boolean) {
    this.#world = world;
    this.#isUnread = isUnread;
  }

  /** As an object of that namespace writes the host; undefined: that is not known. */
  of(host: string, namespace: string): HostAddresses | undefined {
    const found = resolveHost(new WorldReader(this.#world, new Set()), host, namespace);
    const isUnread = found.missingService !== undefined && this.#isUnread(found.namespace ?? '');
    return isUnread ? undefined : addressesOf(found);
  }

  isOfService(address: string): boolean {
    this.#ofServices ??= new Set(
      [...this.#world.objects()].flatMap((object) => (object.kind === 'Service' ? object.clusterIps : [])),
    );
    return this.#ofServices.has(address);
  }
}
