/**
 * Which replicas of a Redis Cluster are too far behind to be read from.
 */
import { judgeLag } from './fitness.ts';
import { PrimaryOffsets, askingEveryMs, withoutLag } from './lag.ts';
import type { Node } from './node.ts';
import type { ReplicationInfo } from './topology.ts';

export class LagJudge {
  readonly #maxLagMs: number;
  readonly #warn: (problem: string) => void;
  readonly #offsets = new WeakMap<Node, PrimaryOffsets>();
  #isTold = false;

  /** `warn`: told once, where a node does not say how far it is. */
  constructor(maxLagMs: number, warn: (problem: string) => void) {
    this.#maxLagMs = maxLagMs;
    this.#warn = warn;
  }

  /** What `node` said, asked at `askedAt`; its primary is to be judged before. undefined: it may be read from. */
  judge(node: Node, primary: Node, said: ReplicationInfo | undefined, askedAt: number): string | undefined {
    if (said === undefined) {
      if (!this.#isTold) this.#warn(withoutLag(node.address));
      this.#isTold = true;
      return undefined;
    }
    if (node === primary) {
      const offsets = this.#offsets.get(node) ?? new PrimaryOffsets(this.#maxLagMs);
      this.#offsets.set(node, offsets);
      offsets.note(said, askedAt);
      return undefined;
    }
    // Promoted, and not in the map as what it is.
    if (said.role === 'primary') return undefined;
    const lag = primary.isUsable
      ? (this.#offsets.get(primary)?.lagOf(said, performance.now()) ?? Infinity)
      : undefined;
    // Until it is asked again it may fall back further.
    return judgeLag(node.unfit, lag, this.#maxLagMs - askingEveryMs(this.#maxLagMs));
  }
}
