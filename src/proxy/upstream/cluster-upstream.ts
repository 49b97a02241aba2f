/**
 * A Redis Cluster as an upstream: slots, shards and roles as its nodes tell them.
 */
import type { Logger } from 'pino';

import { addressOf } from '../../api/host-port.ts';
import type { ClusterUpstream as ClusterPlan } from '../../plan/routing-plan.ts';
import { KIND } from '../../redis/command-table.ts';
import { SLOTS, slotOf } from '../../redis/slots.ts';
import { LOGIN_AGAIN_MS, type Conversation } from '../topology/conversation.ts';
import { Seeds, topologyFromSome } from '../topology/discovery.ts';
import { KEPT_MS } from '../topology/kept-replicas.ts';
import { KnownNodes } from '../topology/known-nodes.ts';
import { LagJudge } from '../topology/lag-judge.ts';
import { askingEveryMs } from '../topology/lag.ts';
import { LonePrimaries } from '../topology/lone-primaries.ts';
import { Migrations, emptiedNodes, haveSlotsMoved } from '../topology/migrations.ts';
import type { Node } from '../topology/node.ts';
import { nodeOptionsOf } from '../topology/node-options.ts';
import { NodeLog } from '../topology/node-log.ts';
import { placesOfShards } from './places-of-shards.ts';
import { hostOf, type Refusal } from './refusal.ts';
import type { Request } from '../wire/request.ts';
import { PeriodicTask } from '../topology/periodic-task.ts';
import { runsScript } from '../wire/script-words.ts';
import { Probe } from '../topology/probe.ts';
import { MASTER, Shard } from '../topology/shard.ts';
import {
  isMember,
  mayReplace,
  parseMigratingSlots,
  unlisted,
  type NodePlace,
  type Topology,
} from '../topology/topology.ts';
import { shardStatus, type UpstreamStatus } from './upstream-status.ts';
import type { UpstreamSettings } from './upstream-settings.ts';
import { Upstream } from './upstream.ts';

/** While slots move. */
const MOVING_MS = 250;
/** While somebody is missing; later, such a share of the time since. */
const HURRIED_MS = 100;
const PATIENCE = 0.02;
const NOBODY = 0xffff;

export class ClusterUpstream extends Upstream {
  override readonly checksSlots = true;
  protected override readonly nodeLog: NodeLog;
  readonly #plan: ClusterPlan;
  readonly #log: Logger;
  readonly #known: KnownNodes;
  readonly #slots = new Uint16Array(SLOTS).fill(NOBODY);
  /** As #slots has them; undefined: not looked for since that has changed. */
  #places: readonly number[] | undefined;
  readonly #seeds: Seeds;
  #shards: Shard[] = [];
  #topology: Topology | undefined;
  #topologyAt = 0;
  readonly #migrations = new Migrations();
  readonly #lonePrimaries: LonePrimaries;
  /** CLUSTER NODES, as a primary said it last. */
  #members = '';
  readonly #probe: Probe;
  readonly #refreshing = new PeriodicTask(() => this.#refresh(), HURRIED_MS);
  /** When somebody was last found missing. */
  #hurtAt = performance.now();
  readonly #askEveryMs: number;
  #isClosed = false;

  constructor(plan: ClusterPlan, settings: UpstreamSettings, log: Logger) {
    super(settings, plan.maxConnections);
    this.nodeLog = new NodeLog(plan.id, log);
    this.#lonePrimaries = new LonePrimaries(plan.id, log);
    this.#plan = plan;
    this.#seeds = new Seeds(plan);
    this.#known = new KnownNodes(nodeOptionsOf(plan, true), this);
    this.#log = log;
    const { maxLagMs } = settings;
    this.#askEveryMs = askingEveryMs(maxLagMs);
    const warn = (problem: string): void => log.warn(`${plan.id}: ${problem}`);
    const lagJudge = maxLagMs === undefined ? undefined : new LagJudge(maxLagMs, warn);
    const toldMembers = (shard: Shard, members: unknown): void => this.#noteMembers(shard, members);
    this.#probe = new Probe(settings.zone, lagJudge, toldMembers, warn);
    this.#refreshing.ask();
  }

  get isReady(): boolean {
    return this.#topology !== undefined;
  }

  override get refusal(): string | undefined {
    const refusals = [...this.nodes()].map(({ refusal }) => refusal);
    return refusals.includes(undefined) ? undefined : refusals[0];
  }

  placeOf(bytes: Uint8Array, start: number, end: number): number {
    return slotOf(bytes, start, end);
  }

  anyPlace(): number {
    const usable = this.#usablePlaces();
    return usable[Math.floor(Math.random() * usable.length)] ?? 0;
  }

  #usablePlaces(): readonly number[] {
    return this.primaryPlaces().filter((place) => this.primaryFor(place) !== null);
  }

  override holderOf(place: number): Node | undefined {
    return this.#shards[this.#slots[place]!]?.primary;
  }

  protected override refusing({ place, isRead, terms }: Request): Buffer | undefined {
    return this.#shards[this.#slots[place]!]?.refusing(isRead ? terms.policy : MASTER);
  }

  /** A read that only replicas may answer, of a shard that has none. */
  protected override inVainSince(request: Request): number {
    const primary = this.primaryFor(request.place);
    if (primary === null || this.nodeFor(request) !== null) return Infinity;
    return this.#lonePrimaries.since(primary);
  }

  override primaryPlaces(): readonly number[] {
    return (this.#places ??= placesOfShards(this.#slots, NOBODY));
  }

  override get arePrimariesInDoubt(): boolean {
    return this.#shards.some(({ isPrimaryInDoubt }) => isPrimaryInDoubt);
  }

  override usableReplicas(): readonly Node[] {
    return this.#shards.flatMap(({ replicas }) => replicas.filter(({ isUsable }) => isUsable));
  }

  override status(): UpstreamStatus {
    const status = super.status();
    return {
      ...status,
      topologyAgeMs: this.#topology && Math.round(performance.now() - this.#topologyAt),
      shards: this.#shards.map((shard, index) =>
        shardStatus(shard, this.#topology?.shards[index], this.#lonePrimaries.problemOf(shard)),
      ),
      unlisted: unlisted(this.#members, this.#topology),
    };
  }

  override askZones(): void {
    this.#probe.asksZones = this.settings.zone !== undefined;
  }

  override noteDoubt(): void {
    this.#refreshing.ask();
  }

  override noteMoving(place: number): void {
    this.#migrations.slots.add(place);
    this.#slotsMove();
  }

  nodeFor(request: Request): Node | null {
    const shard = this.#shards[this.#slots[request.place]!];
    if (shard === undefined) return null;
    const policy = request.terms.policy;
    if (request.isRead && policy !== MASTER) {
      const { slots } = this.#migrations;
      const moving = slots.size > 0 && slots.has(request.place);
      if (!moving || !shard.primary.isUsable) return shard.reader(policy);
    }
    return shard.primary.isUsable ? shard.primary : null;
  }

  /** Any primary may carry out what has no key: what waits in one line goes to the same one, as it is sent in one go. */
  protected override placeElsewhere(request: Request): void {
    if (request.label >> 1 !== KIND.keyless || this.primaryFor(request.place) !== null) return;
    const usable = this.#usablePlaces();
    request.place = usable[request.place % usable.length] ?? request.place;
  }

  protected *nodes(): Iterable<Node> {
    for (const { node } of this.#known.all()) yield node;
  }

  protected override get hasLeaving(): boolean {
    return this.#known.hasLeaving;
  }

  protected conversation(): Conversation | undefined {
    const primary = this.#shards.find((shard) => shard.primary.isUsable)?.primary;
    return primary && this.#known.of(primary)?.conversation;
  }

  redirected(request: Request, refusal: Refusal, from: Node): Node | null | undefined {
    if (refusal.kind !== 'moved' && refusal.kind !== 'ask') return undefined;
    // Redis speaks of the command's own slot; of another one only a script would, which was carried out.
    if (refusal.slot !== request.place) return undefined;
    const place = { host: hostOf(refusal, from, this.nodes()), port: refusal.port };
    // `?`: it has no name of the kind that its cluster prefers, and its port does not tell: the map does.
    if (place.host === '?' || addressOf(place.host, place.port) === from.address) {
      this.noteDoubt();
      return null;
    }
    if (runsScript(request)) return this.#rumoured(place);
    const node = this.#known.at(place);
    node.namedAt = performance.now();
    if (refusal.kind === 'ask') {
      this.noteMoving(request.place);
    } else {
      // To another primary: the slot has moved. To a replica: that was promoted.
      if (this.#shards.some(({ primary }) => primary === node)) this.#slotsMove();
      if (node.isUsable) this.#assign(refusal.slot, node);
      this.#refreshing.ask();
    }
    return node.isUsable ? node : null;
  }

  /** A script may have said it: nothing else follows from that, and only members are connected to. */
  #rumoured(place: NodePlace): Node | null {
    this.noteDoubt();
    const isKnown = this.#known.has(place) || isMember(this.#members, place);
    const node = isKnown ? this.#known.at(place) : undefined;
    if (node?.isUsable !== true) return null;
    // It stays, as any that is named: the map may not list it yet.
    node.namedAt = performance.now();
    return node;
  }

  changed(node: Node): void {
    for (const shard of this.#shards) if (shard.has(node)) shard.refresh();
    if (node.isUsable) return this.retryHeld();
    this.#hurtAt = performance.now();
    this.#refreshing.ask();
  }

  override close(): void {
    super.close();
    this.#isClosed = true;
    this.#refreshing.close();
    this.#known.close();
    // Who comes later finds nobody: nobody would end the connection.
    this.#shards = [];
  }

  #slotsMove(): void {
    this.#migrations.noteSign();
    this.#migrations.doubtReplicas(this.#shards);
  }

  /** At once, without waiting for the next refresh: the slot has another primary. */
  #assign(slot: number, node: Node): void {
    const former = this.#shards[this.#slots[slot]!]?.primary;
    let index = this.#shards.findIndex(({ primary }) => primary === node);
    if (index < 0) {
      index = this.#shards.findIndex(({ replicas }) => replicas.includes(node));
      const old = this.#shards[index];
      if (old === undefined) {
        index = this.#shards.push(new Shard(node, [])) - 1;
      } else {
        old.replicas = old.replicas.filter((other) => other !== node);
        this.hasMoved(old.primary, (place) => this.#slots[place] === index);
        old.primary = node;
        old.refresh();
      }
      this.#noteRoles();
    }
    this.#slots[slot] = index;
    this.#places = undefined;
    if (former !== node) this.invalidations.lost();
    if (former !== undefined && former !== node) this.hasMoved(former, (place) => place === slot);
  }

  #noteRoles(): void {
    const primaries = new Set(this.#shards.map(({ primary }) => primary));
    for (const node of this.nodes()) node.role = primaries.has(node) ? 'primary' : 'replica';
  }

  /** Asks several nodes for the map, takes the best answer, then asks every node how it is. Returns when it is to be again. */
  async #refresh(): Promise<number> {
    const topology = await this.#ask();
    if (this.#isClosed) return 0;
    if (topology !== undefined && this.#isBetter(topology)) this.#apply(topology);
    await this.#probe.all([...this.#known.all()], this.#shards);
    this.#migrations.doubtReplicas(this.#shards);
    if (this.refusal !== undefined) return LOGIN_AGAIN_MS;
    // Soon, but not without end where the answers stay the same.
    if (this.#refreshing.isAskedAgain) return HURRIED_MS;
    const isHurt = [...this.nodes()].some((node) => !node.isUsable || !node.isProbed);
    if (isHurt || topology === undefined) return this.#hurriedMs();
    return this.#migrations.isUnderWay ? Math.min(MOVING_MS, this.#askEveryMs) : this.#askEveryMs;
  }

  /** Who is away for long, and asked for by many, is not asked for ten times a second by each. */
  #hurriedMs(): number {
    const patientMs = (performance.now() - this.#hurtAt) * PATIENCE;
    return Math.min(this.#askEveryMs, Math.max(HURRIED_MS, patientMs));
  }

  /** From known nodes that answer, else from the seeds. */
  async #ask(): Promise<Topology | undefined> {
    const alive = [...this.#known.all()].filter(
      ({ node }) => !node.isDead && !node.isSilent && node.refusal === undefined,
    );
    const best = await topologyFromSome(alive, this.#topology);
    const { found, problem } =
      best === undefined ? await this.#seeds.ask(!this.isReady) : { found: best, problem: '' };
    if (!this.#isClosed) this.nodeLog.lookAtMap(problem);
    return found;
  }

  /** One that may not replace the one before does so where it stays so. */
  #isBetter(topology: Topology): boolean {
    const current = this.#topology;
    if (current === undefined || performance.now() - this.#topologyAt > KEPT_MS) return true;
    return mayReplace(topology, current);
  }

  #apply(topology: Topology): void {
    const isFirst = this.#topology === undefined;
    this.#topology = topology;
    this.#topologyAt = performance.now();
    this.nodeLog.lookAtPrimaries(topology.shards.map(({ primary: { host, port } }) => addressOf(host, port)));
    const former = this.#shards;
    const formerSlots = this.#slots.slice();
    const primaries = new Set(topology.shards.map(({ primary }) => this.#known.at(primary)));
    const listed = new Set(
      topology.shards.flatMap(({ replicas }) => replicas.map((place) => this.#known.at(place))),
    );
    this.#slots.fill(NOBODY);
    this.#places = undefined;
    this.#shards = topology.shards.map((place, index) => {
      for (const [first, last] of place.ranges) this.#slots.fill(index, first, last + 1);
      const before = former[formerSlots[place.ranges[0]?.[0] ?? 0]!];
      return this.#known.shardAt(place, before, (node) => !primaries.has(node) && !listed.has(node));
    });
    this.#noteRoles();
    this.#lonePrimaries.look(this.#shards, this.needsReplicas, this.#topologyAt);
    for (const [index, { primary }] of former.entries()) {
      const isElsewhere = (slot: number): boolean => this.#shards[this.#slots[slot]!]?.primary !== primary;
      this.hasMoved(primary, (place) => formerSlots[place] === index && isElsewhere(place));
    }
    for (const node of primaries) {
      if (!isFirst && !former.some(({ primary }) => primary === node))
        this.#probe.promotions.note(node, this.#topologyAt);
    }
    const before = { shards: former, slots: formerSlots };
    if (haveSlotsMoved(before, { shards: this.#shards, slots: this.#slots })) this.#slotsMove();
    // What a primary that was given up says later, it says as the primary it no longer is.
    for (const { primary } of former) {
      if (!primaries.has(primary) && !primary.isUsable) primary.close('it was replaced');
    }
    this.#known.forgetUnlisted(this.#shards, this.#topologyAt, emptiedNodes(former, this.#shards));
    this.#migrations.doubtReplicas(this.#shards);
    if (isFirst) this.#log.info({ upstream: this.#plan.id, shards: this.#shards.length }, 'topology known');
    this.retryHeld();
    // Behind what was asked of those before.
    if (this.#isReadElsewhere(before)) this.invalidations.lost();
  }

  /** Some slot has another primary, or other replicas. */
  #isReadElsewhere(before: { readonly shards: readonly Shard[]; readonly slots: Uint16Array }): boolean {
    if (!this.invalidations.isHeard) return false;
    const namesOf = (shards: readonly Shard[]): readonly string[] =>
      shards.map(({ primary, replicas }) => [primary, ...replicas].map(({ address }) => address).join(' '));
    const [former, now] = [namesOf(before.shards), namesOf(this.#shards)];
    return this.#slots.some((index, slot) => now[index] !== former[before.slots[slot]!]);
  }

  /** What the primary of `shard` says; one that is busy does not. */
  #noteMembers(shard: Shard, members: unknown): void {
    if (this.#isClosed) return;
    if (typeof members === 'string') this.#members = members;
    const moving = parseMigratingSlots(this.#members);
    const isOwn = (slot: number): boolean => this.#shards[this.#slots[slot]!] === shard;
    // What was read where one was on its way to need not be where it stays.
    if (this.#migrations.noteSlots(moving, isOwn)) this.invalidations.lost();
    if (moving.length > 0) this.#slotsMove();
  }
}
