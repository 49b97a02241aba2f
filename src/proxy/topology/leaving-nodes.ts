/**
 * Nodes that are asked nothing more: what they were asked before they may answer, for a moment.
 */
import type { Node } from './node.ts';

const LEAVING_MS = 1_000;
/** So often it is looked whether anything is under way there. */
const LOOK_MS = 10;

export class LeavingNodes {
  readonly #leaving = new Map<() => void, NodeJS.Timeout>();

  get isEmpty(): boolean {
    return this.#leaving.size === 0;
  }

  /** `close`: called once it is not waited for any more. */
  leave(node: Node, close: () => void, until = performance.now() + LEAVING_MS): void {
    if (!node.isUsable || !node.isWaitedFor || performance.now() > until) {
      this.#leaving.delete(close);
      return close();
    }
    this.#leaving.set(
      close,
      setTimeout(() => this.leave(node, close, until), LOOK_MS),
    );
  }

  closeAll(): void {
    for (const [close, timer] of this.#leaving) {
      clearTimeout(timer);
      close();
    }
    this.#leaving.clear();
  }
}
