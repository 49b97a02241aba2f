/**
 * A Redis Cluster of scripted nodes: what is true, what each node has heard of it, and what of that it tells.
 *
 * All nodes of a shard share one set of keys, so a failover loses nothing. What changes is known to some nodes at once and
 * to the others a moment later, as by gossip.
 */
import type { SecureContext } from 'node:tls';

import { freePorts } from '../../../src/demo/child-process.ts';
import { SLOTS } from '../../../src/redis/slots.ts';
import type { Ledger } from './ledger.ts';
import { forgetName, nameStandsFor } from './names.ts';
import { ScriptedNode } from './node.ts';
import type { Random } from './random.ts';
import { array, bulk, integer } from './replies.ts';
import { secureContext } from './secured.ts';
import {
  KNOWN_MS,
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
  /** The last shard has no slots yet. */
  readonly hasNewShard?: boolean;
  /** Plain servers: each shard is one, and replicas are servers for reads. */
  readonly isPlain?: boolean;
  readonly isSecured?: boolean;
  readonly hasSteadyRoutes?: boolean;
  readonly maxLagMs?: number | undefined;
  /** Has the same truth: what one is asked for, the other knows. */
  readonly twin?: ChaosCluster | undefined;
  /** Each key is at all of its nodes, and of its twin's: no slot is ever half moved. */
  readonly isOneMemory?: boolean;
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
  /** Of all nodes: it is their hosts that differ. */
  readonly port: number;
  readonly isPlain: boolean;
  readonly secureContext: SecureContext | undefined;
  readonly lists: Map<string, string[]>;
  /** What its nodes are called. */
  readonly label: string;
  /** All that have one truth, this one too. */
  twins: readonly ChaosCluster[];
  hasSteadyRoutes: boolean;
  readonly maxLagMs: number | undefined;
  readonly migrations = new Map<number, Migration>();
  truth: View;
  #hosts = 0;
  /** When something last happened over which a scan may miss keys. */
  scansFailedAt = -Infinity;
  /** By slot: when it was last no longer on its way. */
  readonly #movedAt = new Map<number, number>();

  private constructor(
    shape: Shape,
    ledger: Ledger,
    random: Random,
    port: number,
    context: SecureContext | undefined,
  ) {
    this.secureContext = context;
    this.shape = shape;
    this.ledger = ledger;
    this.random = random;
    this.port = port;
    this.maxLagMs = shape.maxLagMs;
    this.hasSteadyRoutes = shape.hasSteadyRoutes === true;
    const { shards, replicas } = shape;
    this.isPlain = shape.isPlain === true;
    // As if all nodes had one memory: what is asked of one after the other comes in order all the same.
    const { twin } = shape;
    const common = twin?.keys[0] ?? new Set<string>();
    const isCommon = this.isPlain || shape.isOneMemory === true;
    this.keys = Array.from({ length: shards }, () => (isCommon ? common : new Set<string>()));
    this.lists = twin?.lists ?? new Map();
    this.label = twin === undefined ? 'node' : 'twin';
    this.twins = twin === undefined ? [this] : [this, twin];
    if (twin !== undefined) twin.twins = this.twins;
    const serving = shape.hasNewShard === true ? shards - 1 : shards;
    const owners = Uint8Array.from({ length: SLOTS }, (_, slot) => Math.floor(slot / PIECE) % serving);
    const size = 1 + replicas;
    this.truth = {
      serial: 1,
      epoch: 1,
      owners,
      shards: Array.from({ length: shards }, (_, shard) => ({
        primary: shard * size,
        replicas: Array.from({ length: replicas }, (_, index) => shard * size + 1 + index),
      })),
      hosts: Array.from({ length: shards * size }, () => this.newHost()),
    };
    for (const index of this.truth.hosts.keys())
      this.nodes.push(new ScriptedNode(this, random.fork(), index, Math.floor(index / size)));
  }

  static async start(shape: Shape, ledger: Ledger, random: Random): Promise<ChaosCluster> {
    const [port = 0] = await freePorts(1);
    const context = shape.isSecured === true ? await secureContext() : undefined;
    const cluster = new ChaosCluster(shape, ledger, random, port, context);
    for (const node of cluster.nodes) await node.listen();
    const hosts = (): readonly string[] =>
      cluster.nodes.filter(({ state }) => state === 'up').map(({ host }) => host);
    nameStandsFor(cluster.name, hosts);
    const { hostsOf, names } = cluster;
    nameStandsFor(names.primaries, () => hostsOf(({ primary }) => [primary]));
    nameStandsFor(names.replicas, () => hostsOf(({ replicas }) => replicas));
    return cluster;
  }

  /** `first`: who knows at once; the others hear of it. */
  publish(
    change: Partial<Pick<View, 'owners' | 'shards' | 'hosts'>>,
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

  /** Stands for all nodes that are there. */
  get name(): string {
    return `nodes-of-${this.port}.chaos`;
  }

  /** Of plain servers, whether they can be asked or not. */
  get names(): { readonly primaries: string; readonly replicas: string } {
    return { primaries: `primaries-of-${this.port}.chaos`, replicas: `replicas-of-${this.port}.chaos` };
  }

  readonly hostsOf = (which: (shard: ShardView) => readonly number[]): readonly string[] =>
    this.truth.shards.flatMap(which).map((index) => this.nodes[index]!.host);

  /** Nobody had it before. */
  newHost(): string {
    this.#hosts += 1;
    return `127.1.${Math.floor(this.#hosts / 250)}.${1 + (this.#hosts % 250)}`;
  }

  addressIn({ hosts }: View, node: number): string {
    return `${hosts[node]}:${this.port}`;
  }

  /** A node is elsewhere now, which it knows itself. */
  moveTo(index: number, host: string): void {
    this.nodes[index]!.host = host;
    this.publish({ hosts: this.truth.hosts.with(index, host) }, [index], false);
  }

  /** Nodes of shards that have slots; some may be dead. */
  membersNow(): readonly ScriptedNode[] {
    return this.truth.shards.flatMap(({ primary, replicas }, shard) =>
      this.hasSlots(shard) ? [primary, ...replicas].map((index) => this.nodes[index]!) : [],
    );
  }

  /** Those of others are in nobody's map. */
  hasSlots(shard: number): boolean {
    return this.isPlain || this.truth.owners.includes(shard);
  }

  primaryOf(shard: number): ScriptedNode {
    return this.nodes[this.truth.shards[shard]!.primary]!;
  }

  /** All that knows of it has let go of the slot. */
  forgetMigrations(): void {
    for (const [slot, { to }] of this.migrations) {
      const isKnown = this.nodes.every((node) => node.state === 'dead' || node.view.owners[slot] === to);
      if (isKnown) this.endMigration(slot);
    }
  }

  /** Of any slot. */
  get hasMigrated(): boolean {
    return this.migrations.size > 0 || this.#movedAt.size > 0;
  }

  endMigration(slot: number): void {
    this.migrations.delete(slot);
    this.#movedAt.set(slot, performance.now());
  }

  /** A scan since then need not find its keys; as where a node has the address of another one, which SCAN does not tell. */
  mayBeMissed(slot: number, since: number): boolean {
    return this.scansFailedAt + KNOWN_MS >= since || this.hasMoved(slot, since);
  }

  /** Its keys were on their way at some time since, or are. */
  hasMoved(slot: number, since: number): boolean {
    return this.migrations.has(slot) || (this.#movedAt.get(slot) ?? -Infinity) >= since;
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

  moveAllKeys(slots: ReadonlySet<number>, from: number, to: number): void {
    for (const key of [...this.keys[from]!].filter((each) => slots.has(slotOfKey(each)))) {
      this.keys[from]!.delete(key);
      this.keys[to]!.add(key);
      this.touch(key, from);
    }
  }

  touch(key: string, shard: number): void {
    for (const { nodes, isPlain } of this.twins)
      for (const node of nodes) if (isPlain || this.twins.length > 1 || node.shard === shard) node.touch(key);
  }

  slots({ view }: NodeState): string {
    const place = (index: number): string => {
      const { id } = this.nodes[index]!;
      return array([bulk(view.hosts[index]!), integer(this.port), bulk(id)]);
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
        const { id } = this.nodes[index]!;
        const role = index === primary ? 'master' : 'slave';
        const of = index === primary ? '-' : this.nodes[primary]!.id;
        const flags = index === asked.index ? `myself,${role}` : role;
        const moving = index === asked.index && index === primary ? this.#moving(asked, shard) : '';
        return `${id} ${this.addressIn(view, index)}@${this.port + 10_000} ${flags} ${of} 0 0 ${view.epoch} connected${moving}`;
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
    for (const name of [this.name, ...Object.values(this.names)]) forgetName(name);
    for (const node of this.nodes) await node.close();
  }
}
