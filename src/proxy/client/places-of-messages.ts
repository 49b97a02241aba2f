/**
 * Where a client publishes: at each upstream the same place as before, as long as it can be asked, since what came by two
 * nodes would not come in order.
 */
import type { Upstream } from '../upstream/upstream.ts';

export class PlacesOfMessages {
  readonly #places = new WeakMap<Upstream, number>();

  /** The next message goes by another node than the one before it. */
  isLeaving(upstream: Upstream): boolean {
    const before = this.#places.get(upstream);
    return before !== undefined && upstream.primaryFor(before) === null;
  }

  at(upstream: Upstream): number {
    const before = this.#places.get(upstream);
    if (before !== undefined && upstream.primaryFor(before) !== null) return before;
    const place = upstream.anyPlace(true);
    this.#places.set(upstream, place);
    return place;
  }
}
