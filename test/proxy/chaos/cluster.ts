/**
 * A Redis Cluster of scripted nodes: what is true, what each node has heard of it, and what of that it tells.
 *
 * All nodes of a shard share one set of keys, so a failover loses nothing. What changes is known to some nodes at once and
 * to the others a moment later, as by gossip.
 */
import { freePorts } from '../../../src/demo/child-process.ts';
import { SLOTS } from '../../../src/redis/slots.ts';
import type { Ledger } from './ledger.ts';
import { ScriptedNode } from './node.ts';
import type { Random } from './random.ts';
import { array, bulk, integer } from './replies.ts';
import {
  slotOfKey,
  type ClusterState,
  type Migration,
  type NodeState,
  type ShardView,
  type View,
} from './state.ts';

export interface Shape {
  readonly shards: number;
  readonly replicas: number;
  /** How long it takes at most until all have heard of a change. */
  readonly gossipMs: number;
}

/** Runs of slots are taken and given in pieces of this size. */
const PIECE = SLOTS / 16;

export class ChaosCluster implements ClusterState {
  readonly nodes: ScriptedNode[] = [];
  readonly ledger: Ledger;
  readonly random: Random;
  readonly shape: Shape;
  readonly keys: readonly Set<string>[];
  readonly lists = new Map<string, string[]>();
  readonly migrations = new Map<number, Migration>();
  truth: View;

  private constructor(shape: Shape, ledger: Ledger, random: Random, ports: readonly number[]) {
    this.shape = shape;
    this.ledger = ledger;
    this.random = random;
    const { shards, replicas } = shape;
    this.keys = Array.from({ length: shards }, () => new Set<string>());
    const owners = Uint8Array.from({ length: SLOTS }, (_, slot) => Math.floor(slot / PIECE) % shards);
    const size = 1 + replicas;
    this.truth = {
      serial: 1,
      epoch: 1,
      owners,
      shards: Array.from({ length: shards }, (_, shard) => ({
        primary: shard * size,
        replicas: Array.from({ length: replicas }, (_, index) => shard * size + 1 + index),
      })),
    };
    for (const [index, port] of ports.entries())
      this.nodes.push(new ScriptedNode(this, random.fork(), index, port, Math.floor(index / size)));
  }

  static async start(shape: Shape, ledger: Ledger, random: Random): Promise<ChaosCluster> {
    const ports = await freePorts(shape.shards * (1 + shape.replicas));
    const cluster = new ChaosCluster(shape, ledger, random, ports);
    for (const node of cluster.nodes) await node.listen();
    return cluster;
  }

  /** `first`: who knows at once; the others hear of it. */
  publish(
    change: Partial<Pick<View, 'owners' | 'shards'>>,
    first: readonly number[],
    raisesEpoch = true,
  ): void {
    const { serial, epoch } = this.truth;
    const view = { ...this.truth, ...change, serial: serial + 1, epoch: epoch + (raisesEpoch ? 1 : 0) };
    this.truth = view;
    for (const node of this.nodes) {
      if (first.includes(node.index)) node.hear(view);
      else setTimeout(() => node.hear(view), this.random.below(this.shape.gossipMs + 1)).unref();
    }
  }

  changeShard(shard: number, change: Partial<ShardView>, first: readonly number[], raisesEpoch = true): void {
    const shards = this.truth.shards.map((view, index) => (index === shard ? { ...view, ...change } : view));
    this.publish({ shards }, first, raisesEpoch);
  }

  /** Nodes that are part of it; some may be dead. */
  membersNow(): readonly ScriptedNode[] {
    return this.truth.shards.flatMap(({ primary, replicas }) =>
      [primary, ...replicas].map((index) => this.nodes[index]!),
    );
  }

  primaryOf(shard: number): ScriptedNode {
    return this.nodes[this.truth.shards[shard]!.primary]!;
  }

  /** All that knows of it has let go of the slot. */
  forgetMigrations(): void {
    for (const [slot, { to }] of this.migrations) {
      const isKnown = this.nodes.every((node) => node.state === 'dead' || node.view.owners[slot] === to);
      if (isKnown) this.migrations.delete(slot);
    }
  }

  /** Some keys, or all, of a slot that moves. */
  moveKeys(slot: number, count: number): void {
    const migration = this.migrations.get(slot);
    if (migration === undefined) return;
    const [from, to] = [this.keys[migration.from]!, this.keys[migration.to]!];
    const moving = [...from].filter((key) => slotOfKey(key) === slot).slice(0, count);
    for (const key of moving) {
      from.delete(key);
      to.add(key);
      this.touch(key, migration.from);
    }
  }

  touch(key: string, shard: number): void {
    for (const node of this.nodes) if (node.shard === shard) node.touch(key);
  }

  slots({ view }: NodeState): string {
    const place = (index: number): string => {
      const { port, id } = this.nodes[index]!;
      return array([bulk('127.0.0.1'), integer(port), bulk(id)]);
    };
    const ranges: string[] = [];
    for (let first = 0; first < SLOTS;) {
      const owner = view.owners[first]!;
      let next = first + 1;
      while (next < SLOTS && view.owners[next] === owner) next += 1;
      const shard = view.shards[owner];
      if (shard !== undefined)
        ranges.push(
          array([
            integer(first),
            integer(next - 1),
            place(shard.primary),
            ...shard.replicas.map((replica) => place(replica)),
          ]),
        );
      first = next;
    }
    return array(ranges);
  }

  /** As far as the proxy looks at it. */
  members(asked: NodeState): string {
    const { view } = asked;
    const lines = view.shards.flatMap(({ primary, replicas }, shard) =>
      [primary, ...replicas].map((index) => {
        const { id, port } = this.nodes[index]!;
        const role = index === primary ? 'master' : 'slave';
        const of = index === primary ? '-' : this.nodes[primary]!.id;
        const flags = index === asked.index ? `myself,${role}` : role;
        const moving = index === asked.index && index === primary ? this.#moving(asked, shard) : '';
        return `${id} 127.0.0.1:${port}@${port + 10_000} ${flags} ${of} 0 0 ${view.epoch} connected${moving}`;
      }),
    );
    return `${lines.join('\n')}\n`;
  }

  #moving({ view }: NodeState, shard: number): string {
    return [...this.migrations]
      .filter(([slot]) => view.owners[slot] === this.migrations.get(slot)!.from)
      .map(([slot, { from, to }]) => {
        if (from === shard) return ` [${slot}->-${this.primaryOf(to).id}]`;
        return to === shard ? ` [${slot}-<-${this.primaryOf(from).id}]` : '';
      })
      .join('');
  }

  async close(): Promise<void> {
    for (const node of this.nodes) await node.close();
  }
}
