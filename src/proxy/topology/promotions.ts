/**
 * Since when nodes are primaries: what a new one says of itself is judged by how long it has been one.
 */
import type { Node } from './node.ts';
import type { Shard } from './shard.ts';

export class Promotions {
  readonly #at = new WeakMap<Node, number>();

  /** `at`: by `performance.now()`. */
  note(node: Node, at: number): void {
    this.#at.set(node, at);
  }

  /** Since its primary was promoted, or could be asked again. */
  primaryForMs(shard: Shard | undefined): number {
    if (shard === undefined || !shard.primary.isUsable) return 0;
    const promotedAt = this.#at.get(shard.primary) ?? -Infinity;
    return performance.now() - Math.max(promotedAt, shard.primary.usableSince);
  }
}
