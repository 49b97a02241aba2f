/**
 * The nodes of a Redis Cluster, each with its connections: those of its map, those that a redirection has named before any
 * map does, and for a while replicas that the map lists no more.
 */
import { addressOf } from '../../api/host-port.ts';
import { KEPT_MS, KeptReplicas } from './kept-replicas.ts';
import { KnownNode } from './known-node.ts';
import { LeavingNodes } from './leaving-nodes.ts';
import type { Node, NodeOwner } from './node.ts';
import type { NodeOptions } from './node-options.ts';
import { Shard } from './shard.ts';
import type { NodePlace, ShardPlace } from './topology.ts';

const LEFT = 'it left the cluster';

export class KnownNodes {
  readonly #options: Omit<NodeOptions, 'host' | 'port'>;
  readonly #owner: NodeOwner;
  readonly #byAddress = new Map<string, KnownNode>();
  readonly #kept = new KeptReplicas();
  readonly #leaving = new LeavingNodes();

  constructor(options: Omit<NodeOptions, 'host' | 'port'>, owner: NodeOwner) {
    this.#options = options;
    this.#owner = owner;
  }

  all(): Iterable<KnownNode> {
    return this.#byAddress.values();
  }

  of({ address }: Node): KnownNode | undefined {
    return this.#byAddress.get(address);
  }

  has({ host, port }: NodePlace): boolean {
    return this.#byAddress.has(addressOf(host, port));
  }

  /** From now on it is known, if it was not. */
  at({ host, port }: NodePlace): Node {
    const address = addressOf(host, port);
    const existing = this.#byAddress.get(address);
    if (existing !== undefined) return existing.node;
    const known = new KnownNode({ ...this.#options, host, port }, this.#owner);
    this.#byAddress.set(address, known);
    return known.node;
  }

  /** As a new map has it; `before`: as it was. `isFree`: the new map has the node nowhere. */
  shardAt(place: ShardPlace, before: Shard | undefined, isFree: (node: Node) => boolean): Shard {
    const primary = this.at(place.primary);
    const listed = place.replicas.map((replica) => this.at(replica));
    const kept = listed.length === 0 && before !== undefined ? this.#kept.of(before, isFree) : [];
    for (const node of [primary, ...listed]) this.#kept.forget(node);
    return new Shard(primary, [...listed, ...kept]);
  }

  /** `mapAt`: when the map was told that `shards` are of. `emptied`: what these say late is as true as what they said before. */
  forgetUnlisted(shards: readonly Shard[], mapAt: number, emptied: ReadonlySet<Node>): void {
    const used = new Set(shards.flatMap(({ primary, replicas }) => [primary, ...replicas]));
    for (const [address, known] of this.#byAddress) {
      const { node } = known;
      if (used.has(node)) node.isListed = true;
      // A new one, which those that were asked may not have heard of yet.
      if (node.isListed ? used.has(node) : mapAt - node.namedAt < KEPT_MS) continue;
      this.#byAddress.delete(address);
      this.#kept.forget(node);
      if (emptied.has(node)) this.#leaving.leave(node, () => known.close(LEFT));
      else known.close(LEFT);
    }
  }

  /** Some that are listed no more are waited for. */
  get hasLeaving(): boolean {
    return !this.#leaving.isEmpty;
  }

  close(): void {
    for (const known of this.#byAddress.values()) known.close('no longer used');
    this.#leaving.closeAll();
    this.#byAddress.clear();
  }
}
