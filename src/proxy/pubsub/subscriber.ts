/**
 * What a client is subscribed to at one node: asked for there, and again with every connection.
 */
import type { Command } from '../../redis/command-table.ts';
import type { Session } from '../client/session.ts';
import type { Node } from '../topology/node.ts';
import type { OwnConnection } from '../upstream/own-connection.ts';
import type { Refusal } from '../upstream/refusal.ts';
import type { Upstream } from '../upstream/upstream.ts';
import { handOn } from '../wire/reply-sink.ts';
import type { Request } from '../wire/request.ts';
import { fail, isOfClient, type Asked, type AskedByClient } from './asked-subscription.ts';
import { HeldChannels, SUBSCRIBING, type Subscribing } from './held-channels.ts';
import { MessageSource } from './message-source.ts';
import type { Moved } from './moved-channels.ts';
import { confirm } from './subscription-messages.ts';

const AGAIN_MS = 50;
/** Of its shard channels: nearly always some of them are at a node that can be asked, if any is. */
const LOOKED_AT = 100;

/** Where a subscriber subscribes, as the plan has it now. */
export interface SubscriberPlace {
  upstream(): Upstream | undefined;
  /** A connection to a node that has the shard channel, or to any where that is undefined; undefined: none can be asked. */
  open(shardChannel: string | undefined): OwnConnection | undefined;
  /** Plain servers do not say of a shard channel that it is another's. */
  isElsewhere(shardChannel: string, node: Node): boolean;
  /** It gets no connection. Another one may have one to the node, which was not known when this one was made. */
  stuck(shardChannel: string | undefined): void;
  /** They are no longer this subscriber's. */
  moved(moved: Moved): void;
  /** To how many the client is subscribed in all: shard channels, or channels and patterns. */
  count(): number;
  /** True: the shard channel was on its way, and is no longer. */
  takes(shardChannel: string): boolean;
  /** Shard channels that a node may have confirmed, and of which its client is not told yet. */
  unconfirmed(): ReadonlySet<string> | undefined;
}

export class Subscriber {
  readonly #session: Session;
  readonly #place: SubscriberPlace;
  readonly #waitMs: number;
  #source: MessageSource | undefined;
  #isClosed = false;
  #isFollowing = false;
  /** What clients ask while there is nobody to ask, or asked of a connection that was lost, or refused it, before it answered. */
  readonly #early: AskedByClient[] = [];
  readonly #channels = new HeldChannels();
  /** Shard channels that its node has let go, or refused to take again, while its client waited for something about them. */
  readonly #gone = new Set<string>();

  /** While nobody can be asked who subscribes waits for so many milliseconds. */
  constructor(session: Session, waitMs: number, place: SubscriberPlace) {
    this.#session = session;
    this.#waitMs = waitMs;
    this.#place = place;
    this.#connect();
  }

  get isUnused(): boolean {
    return this.size === 0 && this.#isAnswered && this.#early.length === 0;
  }

  /** How many channels and patterns. */
  get size(): number {
    return this.#channels.size;
  }

  /** What they take, about. */
  get bytes(): number {
    return this.#channels.bytes;
  }

  get #isAnswered(): boolean {
    return this.#source?.isAnswered !== false;
  }

  has(kind: Subscribing): boolean {
    return this.#channels.of(kind).size > 0;
  }

  hasShardChannel(channel: string): boolean {
    return this.#channels.of('ssubscribe').has(channel);
  }

  get shardChannels(): readonly string[] {
    return [...this.#channels.of('ssubscribe')];
  }

  /** One that has no connection yet opens it where the plan has it then. */
  isElsewhere(upstream: Upstream): boolean {
    return this.#source !== undefined && this.#source.own.upstream !== upstream;
  }

  /** undefined: it has no connection now. */
  get node(): Node | undefined {
    const own = this.#source?.own;
    return own?.connection.isClosed === false ? own.node : undefined;
  }

  /** Subscribes for a client that takes itself for a subscriber already. */
  restore(channel: string): void {
    this.#channels.add('ssubscribe', channel);
    this.#askAgain('ssubscribe', [channel]);
  }

  /** Goes to where the plan has it now, once that can be asked; what it subscribed to before stays until then. */
  follow(): void {
    const own = this.#source?.own;
    const upstream = this.#place.upstream();
    // Without a connection it asks by itself where there is one.
    if (this.#isClosed || own === undefined || own.connection.isClosed) return;
    if (upstream === undefined || own.upstream === upstream || this.#isFollowing) return;
    const next = this.#isAnswered ? this.#open() : undefined;
    if (next === undefined) {
      this.#isFollowing = true;
      setTimeout(() => {
        this.#isFollowing = false;
        this.follow();
      }, AGAIN_MS);
      return;
    }
    own.close();
    this.#use(next);
    this.#restoreAll(next);
  }

  /** `told`: the counts, where it was asked of another one before, whose channels are this one's only from now on. */
  send(command: Command, channels: readonly string[], request: Request, told?: readonly number[]): void {
    const { name } = command;
    const change = this.#channels.change(name, channels, this.#place.count(), (channel) =>
      this.#place.takes(channel),
    );
    this.#gone.clear();
    this.#ask({
      ...change,
      name,
      named: new Set(change.channels),
      counts: told ?? change.counts,
      request,
    });
  }

  close(): void {
    for (const asked of this.leave()) fail(asked);
  }

  /** Closes, and returns what clients wait for; what that would have subscribed to is not among its channels. */
  leave(): readonly AskedByClient[] {
    this.#isClosed = true;
    this.#source?.own.close();
    const asked = [...(this.#source?.giveUp() ?? []), ...this.#early.splice(0)].filter(isOfClient);
    for (const { name, fresh } of asked) this.#channels.forget(name, fresh);
    return asked;
  }

  #ask(asked: Asked): void {
    if (this.#source?.own.connection.isClosed === false) this.#source.ask(asked);
    // The others are asked for again with every connection.
    else if (isOfClient(asked)) this.#keep(asked);
  }

  /** While there is nobody to ask. */
  #keep(asked: AskedByClient): void {
    if (SUBSCRIBING.some((kind) => kind === asked.name)) {
      this.#early.push(asked);
      return;
    }
    // With the connection everything on it has ended.
    const reply = confirm(asked, this.#session.local.protocol);
    handOn(asked.request.sink!, asked.request, reply);
  }

  #connect(): void {
    if (this.#isClosed) return;
    const own = this.#open();
    if (own === undefined) {
      this.#giveUpLate();
      setTimeout(() => {
        if (!this.#isClosed) this.#place.stuck(this.shardChannels[0]);
        this.#connect();
      }, AGAIN_MS);
      return;
    }
    this.#use(own);
    this.#restoreAll(own);
    this.#askEarly();
  }

  #askEarly(): void {
    for (const asked of this.#early.splice(0)) this.#ask(asked);
  }

  /** Of the same node: asked of another one, what is subscribed to here would be so twice, or not be left. */
  #askHereSoon(asked: AskedByClient): void {
    this.#early.push(asked);
    setTimeout(() => {
      this.#giveUpLate();
      // One that was lost meanwhile asks with the next.
      if (this.node !== undefined) this.#askEarly();
    }, AGAIN_MS);
  }

  /** Where some of its shard channels are: those that are elsewhere follow from there. */
  #open(): OwnConnection | undefined {
    const [first, ...others] = this.shardChannels.slice(0, LOOKED_AT);
    let own = this.#place.open(first);
    for (const channel of others) own ??= this.#place.open(channel);
    return own;
  }

  #use(own: OwnConnection): void {
    const source = new MessageSource(own, this.#session, {
      unconfirmed: () => this.#place.unconfirmed(),
      takenAway: (channel) => this.#leave({ name: 'ssubscribe', channels: [channel], request: null }),
      refused: (asked, refusal, reply) => this.#refused(asked, refusal, reply),
      failed: (asked) => {
        // Else it is asked for again with the next connection.
        if (isOfClient(asked)) this.#undo(asked);
      },
    });
    this.#source = source;
    own.onLost = () => {
      const unanswered = [...this.#early.splice(0), ...source.giveUp()];
      for (const asked of unanswered) if (isOfClient(asked)) this.#keep(asked);
      this.#giveUpLate();
      setTimeout(() => this.#connect(), AGAIN_MS);
    };
  }

  #restoreAll(own: OwnConnection): void {
    for (const kind of SUBSCRIBING) {
      // Apart from those that a client waits for: refused together, all would be forgotten.
      const awaited = new Set(this.#early.flatMap(({ name, fresh }) => (name === kind ? fresh : [])));
      const all = [...this.#channels.of(kind)].filter((channel) => !awaited.has(channel));
      // Of several slots: Redis takes one command for each.
      const groups = kind === 'ssubscribe' ? all.map((channel) => [channel]) : [all];
      for (const channels of groups) {
        const [first] = channels;
        if (first === undefined) continue;
        const isElsewhere = kind === 'ssubscribe' && this.#place.isElsewhere(first, own.node);
        if (isElsewhere) this.#leave({ name: kind, channels, request: null });
        else this.#askAgain(kind, channels);
      }
    }
  }

  #askAgain(name: Subscribing, channels: readonly string[]): void {
    this.#ask({ name, channels, fresh: channels, left: [], counts: [], request: null });
  }

  #giveUpLate(): void {
    const now = performance.now();
    for (const each of this.#early.splice(0)) {
      if (now <= each.request.startedAt + this.#waitMs) {
        this.#early.push(each);
        continue;
      }
      this.#undo(each);
      fail(each);
    }
  }

  #refused(asked: Asked, refusal: Refusal, reply: Buffer): void {
    const { channels, request, counts } = asked;
    const name = asked.name as Moved['name'];
    const isMoved = refusal.kind === 'moved' || refusal.kind === 'ask';
    // Another node has them, or this one will in a moment.
    if (isMoved || !isOfClient(asked) || !this.#hasSome(asked)) {
      this.#leave({ name, channels, request, reply, counts });
    } else {
      this.#askHereSoon({ ...asked, refusal: reply });
    }
  }

  #leave(moved: Moved): void {
    const { channels, request } = moved;
    const left = channels.filter((channel) => {
      const isAwaited = request === null && this.#isAskedFor(channel);
      // What becomes of it shows in what the node says to its client.
      if (isAwaited) this.#gone.add(channel);
      return !isAwaited && this.#channels.delete('ssubscribe', channel);
    });
    if (request !== null) this.#place.moved(moved);
    else if (left.length > 0) this.#place.moved({ ...moved, channels: left });
  }

  #isAskedFor(channel: string): boolean {
    const isKept = this.#early.some(({ named }) => named?.has(channel) === true);
    return isKept || this.#source?.isAskedFor(channel) === true;
  }

  /** Whether the connection was subscribed to any of its shard channels before. */
  #hasSome({ channels, fresh, left }: Asked): boolean {
    const isFresh = new Set(fresh);
    return (
      left.length > 0 || channels.some((channel) => this.hasShardChannel(channel) && !isFresh.has(channel))
    );
  }

  /** As if it had not been asked. */
  #undo({ name, channels, fresh, left }: Asked): void {
    this.#channels.forget(name, fresh);
    this.#channels.takeBack(name, left);
    for (const channel of channels) {
      if (this.#gone.has(channel) && this.hasShardChannel(channel)) this.#askAgain('ssubscribe', [channel]);
    }
  }
}
