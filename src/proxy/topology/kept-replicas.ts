/**
 * Replicas that a new map does not list: they stay for a while where it lists no other.
 */
import type { Node } from './node.ts';
import type { Shard } from './shard.ts';

export const KEPT_MS = 10_000;

export class KeptReplicas {
  readonly #until = new Map<Node, number>();

  /** Of a shard as it was. `isFree`: the new map has the node nowhere. */
  of({ primary, replicas }: Shard, isFree: (node: Node) => boolean): readonly Node[] {
    const now = performance.now();
    return [primary, ...replicas].filter((node) => {
      if (!isFree(node) || !node.isUsable || !node.isProbed) return false;
      const until = this.#until.get(node) ?? now + KEPT_MS;
      this.#until.set(node, until);
      return until > now;
    });
  }

  /** It is listed, or gone. */
  forget(node: Node): void {
    this.#until.delete(node);
  }
}
