/**
 * One connection with subscriptions: tells confirmations, which answer a command, from messages, which answer nothing.
 */
import { handOn } from '../wire/reply-sink.ts';
import type { Command } from '../../redis/command-table.ts';
import type { OwnConnection } from '../upstream/own-connection.ts';
import { REPLIES } from '../wire/encode.ts';
import type { Moved } from './moved-channels.ts';
import type { Node } from '../topology/node.ts';
import { parseRefusal } from '../upstream/refusal.ts';
import type { Request } from '../wire/request.ts';
import type { Session } from '../client/session.ts';
import {
  channelOf,
  confirm,
  encodeSubscription,
  firstWord,
  inProtocol,
  isOfAnother,
  withCount,
} from './subscription-messages.ts';
import type { Upstream } from '../upstream/upstream.ts';

const AGAIN_MS = 50;
/** Of its shard channels: nearly always some of them are at a node that can be asked, if any is. */
const LOOKED_AT = 100;
const SUBSCRIBING = ['subscribe', 'psubscribe', 'ssubscribe'] as const;
export type Subscribing = (typeof SUBSCRIBING)[number];

interface Asked {
  readonly name: string;
  readonly channels: readonly string[];
  /** Of these, those to forget where it is refused: they were not subscribed to before. */
  readonly fresh: readonly string[];
  /** Those to take back where it is refused. */
  readonly left: readonly string[];
  /** To how many its client is subscribed after each: on one connection Redis would count all. */
  readonly counts: readonly number[];
  /** All that its client has named. */
  readonly named?: ReadonlySet<string>;
  /** null: a subscription made again, which the client knows of. */
  readonly request: Request | null;
  /** What was said to it last. */
  readonly refusal?: Buffer;
}

type AskedByClient = Asked & { readonly request: Request };

interface Waiting extends Asked {
  readonly confirmations: Buffer[];
  missing: number;
}

/** Where a subscriber subscribes, as the plan has it now. */
export interface SubscriberPlace {
  upstream(): Upstream | undefined;
  /** A connection to a node that has the shard channel, or to any where that is undefined; undefined: none can be asked. */
  open(shardChannel: string | undefined): OwnConnection | undefined;
  /** Plain servers do not say of a shard channel that it is another's. */
  isElsewhere(shardChannel: string, node: Node): boolean;
  /** They are no longer this subscriber's. */
  moved(moved: Moved): void;
  /** To how many the client is subscribed in all: shard channels, or channels and patterns. */
  count(kind: Subscribing): number;
}

export class Subscriber {
  readonly #session: Session;
  readonly #place: SubscriberPlace;
  readonly #waitMs: number;
  #own: OwnConnection | undefined;
  #isClosed = false;
  #isFollowing = false;
  readonly #waiting: Waiting[] = [];
  /** What clients ask while there is nobody to ask, or asked of a connection that was lost, or refused it, before it answered. */
  readonly #early: AskedByClient[] = [];
  readonly #channels: Readonly<Record<Subscribing, Set<string>>> = {
    subscribe: new Set(),
    psubscribe: new Set(),
    ssubscribe: new Set(),
  };

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
    return this.size === 0 && this.#waiting.length === 0 && this.#early.length === 0;
  }

  /** How many channels and patterns. */
  get size(): number {
    return SUBSCRIBING.reduce((sum, kind) => sum + this.#channels[kind].size, 0);
  }

  has(kind: Subscribing): boolean {
    return this.#channels[kind].size > 0;
  }

  hasShardChannel(channel: string): boolean {
    return this.#channels.ssubscribe.has(channel);
  }

  get shardChannels(): readonly string[] {
    return [...this.#channels.ssubscribe];
  }

  /** One that has no connection yet opens it where the plan has it then. */
  isElsewhere(upstream: Upstream): boolean {
    return this.#own !== undefined && this.#own.upstream !== upstream;
  }

  /** undefined: it has no connection now. */
  get node(): Node | undefined {
    return this.#own?.connection.isClosed === false ? this.#own.node : undefined;
  }

  /** Subscribes for a client that takes itself for a subscriber already. */
  restore(channel: string): void {
    this.#channels.ssubscribe.add(channel);
    this.#askAgain('ssubscribe', [channel]);
  }

  /** Goes to where the plan has it now, once that can be asked; what it subscribed to before stays until then. */
  follow(): void {
    const own = this.#own;
    const upstream = this.#place.upstream();
    // Without a connection it asks by itself where there is one.
    if (this.#isClosed || own === undefined || own.connection.isClosed) return;
    if (upstream === undefined || own.upstream === upstream || this.#isFollowing) return;
    const next = this.#waiting.length > 0 ? undefined : this.#open();
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
    this.#restoreAll();
  }

  /** `told`: the counts, where it was asked of another one before, whose channels are this one's only from now on. */
  send(command: Command, channels: readonly string[], request: Request, told?: readonly number[]): void {
    const kind = command.name.replace('un', '') as Subscribing;
    const all = this.#channels[kind];
    const isUnsubscribing = command.name !== kind;
    // By name, so that another connection, which has none of them, confirms as many.
    const asked = channels.length > 0 ? channels : [...all];
    const fresh = isUnsubscribing ? [] : asked.filter((channel) => !all.has(channel));
    const left = isUnsubscribing ? asked.filter((channel) => all.has(channel)) : [];
    const counts = asked.map((channel) => {
      if (isUnsubscribing) all.delete(channel);
      else all.add(channel);
      return this.#place.count(kind);
    });
    if (asked.length === 0) counts.push(this.#place.count(kind));
    this.#gone.clear();
    this.#ask({
      name: command.name,
      channels: asked,
      named: new Set(asked),
      fresh,
      left,
      counts: told ?? counts,
      request,
    });
  }

  close(): void {
    for (const asked of this.leave()) fail(asked);
  }

  /** Closes, and returns what clients wait for; what that would have subscribed to is not among its channels. */
  leave(): readonly AskedByClient[] {
    this.#isClosed = true;
    this.#own?.close();
    const asked = [...this.#waiting.splice(0), ...this.#early.splice(0)].filter(isOfClient);
    for (const each of asked) this.#forget(each);
    return asked;
  }

  #ask(asked: Asked): void {
    const own = this.#own;
    if (own === undefined || own.connection.isClosed) {
      // The others are asked for again with every connection.
      if (isOfClient(asked)) this.#keep(asked);
      return;
    }
    const { name, channels } = asked;
    this.#waiting.push({ ...asked, confirmations: [], missing: Math.max(1, channels.length) });
    own.send(null, encodeSubscription(name, channels));
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
      setTimeout(() => this.#connect(), AGAIN_MS);
      return;
    }
    this.#use(own);
    this.#restoreAll();
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
    this.#own = own;
    own.connection.intercept = (bytes, start, end) => this.#take(bytes, start, end);
    own.onLost = () => {
      const unanswered = [...this.#early.splice(0), ...this.#waiting.splice(0)];
      for (const asked of unanswered) if (isOfClient(asked)) this.#keep(asked);
      this.#giveUpLate();
      setTimeout(() => this.#connect(), AGAIN_MS);
    };
  }

  #restoreAll(): void {
    for (const kind of SUBSCRIBING) {
      // Apart from those that a client waits for: refused together, all would be forgotten.
      const awaited = new Set(this.#early.flatMap(({ name, fresh }) => (name === kind ? fresh : [])));
      const all = [...this.#channels[kind]].filter((channel) => !awaited.has(channel));
      // Of several slots: Redis takes one command for each.
      const groups = kind === 'ssubscribe' ? all.map((channel) => [channel]) : [all];
      for (const channels of groups) {
        const [first] = channels;
        if (first === undefined) continue;
        const isElsewhere =
          kind === 'ssubscribe' && this.#own !== undefined && this.#place.isElsewhere(first, this.#own.node);
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

  /** True: it is a reply that was waited for, the first one to its command. */
  #take(bytes: Uint8Array, start: number, end: number): boolean {
    const kind = firstWord(bytes, start, end);
    const { protocol } = this.#session.local;
    const [waiting] = this.#waiting;
    // Messages, and a server that takes shard channels away by itself.
    if (kind?.endsWith('message') === true) {
      // Not before the confirmation of its own channel, and not behind that of having left it.
      const isAhead =
        waiting === undefined ? protocol === 3 || this.#early.length > 0 : waiting.confirmations.length === 0;
      this.#session.push(inProtocol(protocol, bytes, start, end), isAhead);
      return false;
    }
    if (kind === 'sunsubscribe') {
      const channel = channelOf(bytes, start, end);
      // The slot has gone to another node, and the server says so; the client need not know.
      // Redis goes through them in order. Who looks for it among all of them takes seconds where there are many.
      const isAsked =
        waiting?.channels.length === 0 || waiting?.channels[waiting.confirmations.length] === channel;
      if (waiting?.name !== kind || !isAsked) {
        this.#leave({ name: 'ssubscribe', channels: [channel], request: null });
        return false;
      }
    }
    const refusal = kind === undefined ? parseRefusal(bytes, start, end) : undefined;
    if (refusal !== undefined && isOfAnother(refusal, waiting?.channels[0])) return false;
    if (waiting === undefined) {
      if (kind !== undefined) this.#session.say(inProtocol(protocol, bytes, start, end));
      return kind === undefined;
    }
    const { name, channels, request } = waiting;
    if (refusal !== undefined && (name === 'ssubscribe' || name === 'sunsubscribe')) {
      this.#waiting.shift();
      const reply = Buffer.from(bytes.subarray(start, end));
      const isMoved = refusal.kind === 'moved' || refusal.kind === 'ask';
      // Another node has them, or this one will in a moment.
      if (isMoved || !isOfClient(waiting) || !this.#hasSome(waiting))
        this.#leave({ name, channels, request, reply, counts: waiting.counts });
      else this.#askHereSoon({ ...waiting, refusal: reply });
      return true;
    }
    if (refusal?.kind === 'unfit' && request === null) {
      this.#passBy(refusal.word);
      return true;
    }
    if (kind === undefined) this.#undo(waiting);
    const count = kind === undefined ? undefined : waiting.counts[waiting.confirmations.length];
    waiting.confirmations.push(withCount(inProtocol(protocol, bytes, start, end), count));
    const isFirst = waiting.confirmations.length === 1;
    // An error is the only reply to its command.
    waiting.missing = kind === undefined ? 0 : waiting.missing - 1;
    if (waiting.missing > 0) return isFirst;
    this.#waiting.shift();
    if (request !== null) handOn(request.sink!, request, Buffer.concat(waiting.confirmations));
    return isFirst;
  }

  /** Its client takes itself for a subscriber: it is made one at whoever can be asked by then. */
  #passBy(unfit: string): void {
    this.#own?.node.update({ unfit });
    this.#own?.connection.destroy('it subscribes nobody now');
  }

  #leave(moved: Moved): void {
    const { channels, request } = moved;
    const pending = [...this.#waiting, ...this.#early];
    const left = channels.filter((channel) => {
      const isAwaited = request === null && pending.some(({ named }) => named?.has(channel) === true);
      // What becomes of it shows in what the node says to its client.
      if (isAwaited) this.#gone.add(channel);
      return !isAwaited && this.#channels.ssubscribe.delete(channel);
    });
    if (request !== null) this.#place.moved(moved);
    else if (left.length > 0) this.#place.moved({ ...moved, channels: left });
  }

  /** Whether the connection was subscribed to any of its shard channels before. */
  #hasSome({ channels, fresh, left }: Asked): boolean {
    const isFresh = new Set(fresh);
    return (
      left.length > 0 ||
      channels.some((channel) => this.#channels.ssubscribe.has(channel) && !isFresh.has(channel))
    );
  }

  /** As if it had not been asked. */
  #undo(asked: Asked): void {
    this.#forget(asked);
    const kind = asked.name.replace('un', '') as Subscribing;
    for (const channel of asked.left) this.#channels[kind].add(channel);
    for (const channel of asked.channels) {
      if (this.#gone.has(channel) && this.#channels.ssubscribe.has(channel))
        this.#askAgain('ssubscribe', [channel]);
    }
  }

  /** It is not asked for again. */
  #forget({ name, fresh }: Asked): void {
    const kind = SUBSCRIBING.find((each) => each === name);
    if (kind !== undefined) for (const channel of fresh) this.#channels[kind].delete(channel);
  }
}

function isOfClient(asked: Asked): asked is AskedByClient {
  return asked.request !== null;
}

function fail({ request, refusal = REPLIES.upstreamFailure }: AskedByClient): void {
  handOn(request.sink!, request, refusal);
}
