/**
 * Says once that a node gets no commands, and why, and once that it gets some again. What lasts less than a second is not
 * told: a machine that is busy has such moments.
 */
import type { Logger } from 'pino';

import type { Node } from './node.ts';

const PATIENCE_MS = 1_000;

export class NodeLog {
  readonly #upstream: string;
  readonly #log: Pick<Logger, 'info' | 'warn'>;
  /** Of those that may not be asked: since when, in milliseconds, or that it was told. */
  readonly #away = new WeakMap<Node, number | 'told'>();

  constructor(upstream: string, log: Pick<Logger, 'info' | 'warn'>) {
    this.#upstream = upstream;
    this.#log = log;
  }

  /** Call it often. */
  look(node: Node, now: number): void {
    const away = this.#away.get(node);
    if (node.isUsable) {
      if (away === undefined) return;
      this.#away.delete(node);
      if (away === 'told') this.#log.info(`${this.#upstream}: ${node.address} gets commands again`);
    } else if (away === undefined) {
      this.#away.set(node, now);
    } else if (away !== 'told' && now - away >= PATIENCE_MS) {
      this.#away.set(node, 'told');
      this.#log.warn(`${this.#upstream}: ${node.address} gets no commands (${node.state})`);
    }
  }
}
