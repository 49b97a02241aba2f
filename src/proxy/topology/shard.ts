/**
 * A shard: one primary, its replicas, and who of them may be read from under each policy at this moment.
 */
import type { Node } from './node.ts';

/** As objects write them; a policy is its index here. */
export const POLICIES = ['MASTER', 'PREFER_MASTER', 'REPLICA', 'PREFER_REPLICA', 'ANY'] as const;

export const MASTER = 0;
const REPLICA = 2;

/** Added to a policy: nodes of the reader's zone come first, within what it allows. */
const NEAR = POLICIES.length;

/** What the hot path knows a policy by. MASTER has nothing to choose from, in no zone. */
export function policyIndex(policy: (typeof POLICIES)[number], prefersNear: boolean): number {
  const index = POLICIES.indexOf(policy);
  return prefersNear && index !== MASTER ? index + NEAR : index;
}

export class Shard {
  primary: Node;
  replicas: readonly Node[];
  #readers: readonly (readonly Node[])[] = [];
  /** Whose turn it is. */
  #turn = 0;

  constructor(primary: Node, replicas: readonly Node[]) {
    this.primary = primary;
    this.replicas = replicas;
    this.refresh();
  }

  /** Call it when a node's state has changed. */
  refresh(): void {
    const { primary } = this;
    const primaries = primary.isUsable ? [primary] : [];
    // A replica that has not been asked may be empty or old: it answers all the same.
    const replicas = this.replicas.filter((node) => node.isUsable && node.isProbed);
    const near = nearest(replicas);
    const isReplicaNear = near[0]?.isNear === true;
    this.#readers = [
      primaries,
      primaries.length > 0 ? primaries : replicas,
      replicas,
      replicas.length > 0 ? replicas : primaries,
      [...primaries, ...replicas],
      primaries,
      primaries.length > 0 ? primaries : near,
      near,
      near.length > 0 ? near : primaries,
      // As Envoy has it: a primary of the zone after the zone's replicas, and before others.
      near.length > 0 && (isReplicaNear || primaries[0]?.isNear !== true) ? near : primaries,
    ];
  }

  has(node: Node): boolean {
    return this.primary === node || this.replicas.includes(node);
  }

  /** Its primary has not been asked yet whether it is one, or says that it is none: the map may be old. */
  get isPrimaryInDoubt(): boolean {
    const { isUsable, refusal, isProbed, saysReplica } = this.primary;
    return isUsable && refusal === undefined && (!isProbed || saysReplica);
  }

  /** What those say to whoever asks them now who would be read from under `policy`, could they be. */
  refusing(policy: number): Buffer | undefined {
    const primaries = policy % NEAR === REPLICA ? [] : [this.primary];
    const nodes = policy === MASTER ? primaries : [...primaries, ...this.replicas];
    return nodes.find(({ refusing }) => refusing !== undefined)?.refusing;
  }

  /** Each in turn; null: nobody may be asked now. */
  reader(policy: number): Node | null {
    const readers = this.#readers[policy]!;
    const count = readers.length;
    if (count === 0) return null;
    if (count === 1) return readers[0]!;
    this.#turn = this.#turn + 1 >= count ? 0 : this.#turn + 1;
    return readers[this.#turn]!;
  }
}

/** Those of the zone; all where there are none. */
function nearest(nodes: readonly Node[]): readonly Node[] {
  const near = nodes.filter(({ isNear }) => isNear);
  return near.length > 0 ? near : nodes;
}
