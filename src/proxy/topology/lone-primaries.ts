/**
 * Since when shards have no replica, by the map. Where reads may go to replicas only, it is said once, and once that there is
 * one again; for less than a second it is not: a cluster that is being made has such moments.
 */
import type { Logger } from 'pino';

import type { Node } from './node.ts';
import type { Shard } from './shard.ts';

const PATIENCE_MS = 1_000;
const PROBLEM =
  'has no replica: reads under REPLICA fail there; PREFER_REPLICA would send them to its primary';

interface Lone {
  readonly since: number;
  isTold: boolean;
}

export class LonePrimaries {
  readonly #upstream: string;
  readonly #log: Pick<Logger, 'info' | 'warn'>;
  /** By primary: a new one may get the former one as its replica, and so counts anew. */
  readonly #lone = new Map<Node, Lone>();

  constructor(upstream: string, log: Pick<Logger, 'info' | 'warn'>) {
    this.#upstream = upstream;
    this.#log = log;
  }

  /** Call it with each map, by `performance.now()`. `needsReplicas`: some reads may go to them only. */
  look(shards: readonly Shard[], needsReplicas: boolean, now: number): void {
    for (const [node, { isTold }] of this.#lone) {
      const shard = shards.find((each) => each.has(node));
      if (shard?.replicas.length === 0) continue;
      this.#lone.delete(node);
      if (!isTold || shard === undefined) continue;
      this.#log.info(`${this.#upstream}: the shard of ${shard.primary.address} has a replica again`);
    }
    for (const { primary, replicas } of shards) {
      if (replicas.length > 0) continue;
      const lone = this.#lone.get(primary);
      if (lone === undefined) this.#lone.set(primary, { since: now, isTold: false });
      else if (!needsReplicas) lone.isTold = false;
      else if (!lone.isTold && now - lone.since >= PATIENCE_MS) {
        lone.isTold = true;
        this.#log.warn(`${this.#upstream}: the shard of ${primary.address} ${PROBLEM}`);
      }
    }
  }

  /** Infinity: it has some, or no map has told yet that it has none. */
  since(primary: Node): number {
    return this.#lone.get(primary)?.since ?? Infinity;
  }

  /** For people; undefined: there is nothing to tell. */
  problemOf({ primary, replicas }: Shard): string | undefined {
    return replicas.length === 0 && this.#lone.get(primary)?.isTold === true ? PROBLEM : undefined;
  }
}
