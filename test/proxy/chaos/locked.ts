/**
 * What a fault has to do with: the cluster, and shards that are its own for a while.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import type { ChaosCluster } from './cluster.ts';
import type { ScriptedNode } from './node.ts';
import type { Random } from './random.ts';
import type { ShardView } from './state.ts';

export interface FaultSetting {
  readonly cluster: ChaosCluster;
  readonly random: Random;
  /** All that clients use. */
  readonly slots: readonly number[];
  /** The proxy gets another plan. */
  readonly swapPlan: () => Promise<void>;
}

export type Fault = (setting: Locked) => Promise<boolean | void>;

/** Of a shard one thing at a time that changes who does what. */
export class Locked implements FaultSetting {
  readonly cluster: ChaosCluster;
  readonly random: Random;
  readonly slots: readonly number[];
  readonly swapPlan: () => Promise<void>;
  readonly #busy = new Set<number>();

  constructor({ cluster, random, slots, swapPlan }: FaultSetting) {
    [this.cluster, this.random, this.slots, this.swapPlan] = [cluster, random, slots, swapPlan];
  }

  anyNode(): ScriptedNode | undefined {
    return this.random.pick(this.cluster.nodes.filter(({ state }) => state === 'up'));
  }

  /** `count` shards that nothing happens to; undefined: there are not as many. */
  take(count: number): readonly number[] | undefined {
    const free = this.cluster.truth.shards.map((_, shard) => shard).filter((shard) => !this.#busy.has(shard));
    const taken: number[] = [];
    while (taken.length < count) {
      const next = this.random.pick(free.filter((shard) => !taken.includes(shard)));
      if (next === undefined) return undefined;
      taken.push(next);
    }
    for (const shard of taken) this.#busy.add(shard);
    return taken;
  }

  give(shards: readonly number[]): void {
    for (const shard of shards) this.#busy.delete(shard);
  }

  note(text: string): void {
    this.cluster.ledger.note(undefined, `* ${text}`);
  }

  async pause(least: number, most: number): Promise<void> {
    await sleep(this.random.between(least, most));
  }
}

export const view = ({ cluster }: Locked, shard: number): ShardView => cluster.truth.shards[shard]!;
export const fitReplica = ({ cluster, random }: Locked, shard: number): ScriptedNode | undefined => {
  const { replicas } = cluster.truth.shards[shard]!;
  return random.pick(replicas.map((index) => cluster.nodes[index]!).filter(({ isFit }) => isFit));
};

/** With a shard to itself; false: there is none. */
export function ofShard(fault: (setting: Locked, shard: number) => Promise<void>): Fault {
  return async (setting) => {
    const taken = setting.take(1);
    if (taken === undefined) return false;
    await fault(setting, taken[0]!);
    setting.give(taken);
    return true;
  };
}
