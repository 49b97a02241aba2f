/**
 * One connection with subscriptions: tells confirmations, which answer a command, from messages, which answer nothing.
 */
import type { Command } from '../redis/command-table.ts';
import type { OwnConnection } from './own-connection.ts';
import { REPLIES } from './encode.ts';
import type { Node } from './node.ts';
import { parseRefusal } from './refusal.ts';
import type { Request } from './request.ts';
import type { Session } from './session.ts';
import type { Upstream } from './upstream.ts';

const AGAIN_MS = 50;
const SUBSCRIBING = ['subscribe', 'psubscribe', 'ssubscribe'] as const;
type Subscribing = (typeof SUBSCRIBING)[number];

interface Waiting {
  readonly name: string;
  readonly channels: readonly string[];
  /** null: a subscription made again, which the client knows of. */
  readonly request: Request | null;
  readonly confirmations: Buffer[];
  missing: number;
}

/** Shard channels that another node has by now; `request`: whose client waits for them to be confirmed. */
export interface Moved {
  readonly name: 'ssubscribe' | 'sunsubscribe';
  readonly channels: readonly string[];
  readonly request: Request | null;
  /** What the node said, if anything. */
  readonly reply: Buffer | undefined;
}

/** Where a subscriber subscribes, as the plan has it now. */
export interface SubscriberPlace {
  upstream(): Upstream | undefined;
  /** A connection to a node that has the shard channel, or to any where that is undefined; undefined: none can be asked. */
  open(shardChannel: string | undefined): OwnConnection | undefined;
  /** They are no longer this subscriber's. */
  moved(moved: Moved): void;
}

export class Subscriber {
  readonly #session: Session;
  readonly #place: SubscriberPlace;
  readonly #waitMs: number;
  #own: OwnConnection | undefined;
  #isClosed = false;
  #isFollowing = false;
  readonly #waiting: Waiting[] = [];
  /** Asked before there was anybody to ask. */
  readonly #early: { readonly waiting: Waiting; readonly bytes: Buffer }[] = [];
  readonly #channels: Readonly<Record<Subscribing, Set<string>>> = {
    subscribe: new Set(),
    psubscribe: new Set(),
    ssubscribe: new Set(),
  };

  /** While nobody can be asked who subscribes waits for so many milliseconds. */
  constructor(session: Session, waitMs: number, place: SubscriberPlace) {
    this.#session = session;
    this.#waitMs = waitMs;
    this.#place = place;
    this.#connect();
  }

  /** How many channels and patterns. */
  get size(): number {
    return SUBSCRIBING.reduce((sum, kind) => sum + this.#channels[kind].size, 0);
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
    if (this.#own?.connection.isClosed === true) return;
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

  send(command: Command, channels: readonly string[], request: Request): void {
    const kind = command.name.replace('un', '') as Subscribing;
    const all = this.#channels[kind];
    const isUnsubscribing = command.name !== kind;
    const missing = channels.length > 0 ? channels.length : Math.max(1, all.size);
    for (const channel of channels) {
      if (isUnsubscribing) all.delete(channel);
      else all.add(channel);
    }
    if (isUnsubscribing && channels.length === 0) all.clear();
    const { name } = command;
    this.#ask({ name, channels, request, confirmations: [], missing }, encodeSubscription(name, channels));
  }

  close(): void {
    this.#isClosed = true;
    this.#own?.close();
    for (const { request } of this.#waiting.splice(0)) if (request !== null) fail(request);
    for (const { waiting } of this.#early.splice(0)) if (waiting.request !== null) fail(waiting.request);
  }

  #ask(waiting: Waiting, bytes: Buffer): void {
    const own = this.#own;
    if (own === undefined) {
      this.#early.push({ waiting, bytes });
      return;
    }
    if (own.connection.isClosed) {
      if (waiting.request !== null) fail(waiting.request);
      return;
    }
    this.#waiting.push(waiting);
    own.send(null, bytes);
  }

  #connect(): void {
    if (this.#isClosed) return;
    const own = this.#open();
    if (own === undefined) {
      if (this.#own === undefined) this.#giveUpLate();
      setTimeout(() => this.#connect(), AGAIN_MS);
      return;
    }
    const isFirst = this.#own === undefined;
    this.#use(own);
    // The first time what was asked so far is all that there is.
    if (isFirst) for (const { waiting, bytes } of this.#early.splice(0)) this.#ask(waiting, bytes);
    else this.#restoreAll();
  }

  #open(): OwnConnection | undefined {
    return this.#place.open(this.shardChannels[0]);
  }

  #use(own: OwnConnection): void {
    this.#own = own;
    own.connection.intercept = (bytes, start, end) => this.#take(bytes, start, end);
    own.onLost = () => {
      for (const { request } of this.#waiting.splice(0)) if (request !== null) fail(request);
      setTimeout(() => this.#connect(), AGAIN_MS);
    };
  }

  #restoreAll(): void {
    for (const kind of SUBSCRIBING) {
      const all = [...this.#channels[kind]];
      // Of several slots: Redis takes one command for each.
      const groups = kind === 'ssubscribe' ? all.map((channel) => [channel]) : [all];
      for (const channels of groups) {
        if (channels.length === 0) continue;
        this.#askAgain(kind, channels);
      }
    }
  }

  #askAgain(name: Subscribing, channels: readonly string[]): void {
    const waiting = { name, channels, request: null, confirmations: [], missing: channels.length };
    this.#ask(waiting, encodeSubscription(name, channels));
  }

  #giveUpLate(): void {
    const now = performance.now();
    const all = this.#early.splice(0);
    for (const each of all) {
      const { request } = each.waiting;
      if (request === null || now <= request.startedAt + this.#waitMs) this.#early.push(each);
      else fail(request);
    }
    if (this.#early.length === 0) for (const kind of SUBSCRIBING) this.#channels[kind].clear();
  }

  /** True: it is a reply that was waited for, the first one to its command. */
  #take(bytes: Uint8Array, start: number, end: number): boolean {
    const kind = firstWord(bytes, start, end);
    const [waiting] = this.#waiting;
    // Messages, and a server that takes shard channels away by itself.
    if (kind === undefined ? !this.#isHandshakeOver(bytes, start) : kind.endsWith('message')) {
      if (kind === undefined) return true;
      this.#session.answer(bytes.subarray(start, end));
      return false;
    }
    if (kind === 'sunsubscribe') {
      const channel = channelOf(bytes, start, end);
      // The slot has gone to another node, and the server says so; the client need not know.
      const isAsked = waiting?.channels.length === 0 || waiting?.channels.includes(channel) === true;
      if (waiting?.name !== kind || !isAsked) {
        this.#leave({ name: 'ssubscribe', channels: [channel], request: null, reply: undefined });
        return false;
      }
    }
    if (waiting === undefined) {
      if (kind !== undefined) this.#session.answer(bytes.subarray(start, end));
      return kind === undefined;
    }
    const { name, channels, request } = waiting;
    if (kind === undefined && (name === 'ssubscribe' || name === 'sunsubscribe')) {
      if (parseRefusal(bytes, start, end) !== undefined) {
        // Another node has them, or this one will in a moment.
        this.#waiting.shift();
        this.#leave({ name, channels, request, reply: Buffer.from(bytes.subarray(start, end)) });
        return true;
      }
    }
    if (kind === undefined) this.#forget(waiting);
    waiting.confirmations.push(Buffer.from(bytes.subarray(start, end)));
    const isFirst = waiting.confirmations.length === 1;
    // An error is the only reply to its command.
    waiting.missing = kind === undefined ? 0 : waiting.missing - 1;
    if (waiting.missing > 0) return isFirst;
    this.#waiting.shift();
    if (request !== null) {
      const reply = Buffer.concat(waiting.confirmations);
      request.sink!.deliver(request, reply, 0, reply.length);
    }
    return isFirst;
  }

  #leave(moved: Moved): void {
    const left = moved.channels.filter((channel) => this.#channels.ssubscribe.delete(channel));
    if (moved.request !== null) this.#place.moved(moved);
    else if (left.length > 0) this.#place.moved({ ...moved, channels: left });
  }

  /** Refused: it is not asked for again. */
  #forget({ name, channels }: Waiting): void {
    const kind = SUBSCRIBING.find((each) => each === name);
    if (kind !== undefined) for (const channel of channels) this.#channels[kind].delete(channel);
  }

  /** An error, unlike the replies to HELLO, AUTH and READONLY, is an answer to a subscription. */
  #isHandshakeOver(bytes: Uint8Array, start: number): boolean {
    return bytes[start] === 0x2d;
  }
}

/** Channels are Latin-1: each character a byte. */
function encodeSubscription(name: string, channels: readonly string[]): Buffer {
  const parts = [name, ...channels].map((word) => `$${word.length}\r\n${word}\r\n`);
  return Buffer.from(`*${parts.length}\r\n${parts.join('')}`, 'latin1');
}

function fail(request: Request): void {
  const reply = REPLIES.upstreamFailure;
  request.sink!.deliver(request, reply, 0, reply.length);
}

/** Of an array or push that begins with a string: `subscribe`, `message`, … */
function firstWord(bytes: Uint8Array, start: number, end: number): string | undefined {
  const text = Buffer.from(bytes.subarray(start, Math.min(end, start + 48))).toString('latin1');
  return /^[*>]\d+\r\n\$\d+\r\n([ps]?(?:un)?subscribe|[ps]?message)\r\n/.exec(text)?.[1];
}

/** The second element of an array or push whose first is a word. */
function channelOf(bytes: Uint8Array, start: number, end: number): string {
  const text = Buffer.from(bytes.subarray(start, end)).toString('latin1');
  const head = /^[*>]\d+\r\n\$\d+\r\n\w+\r\n\$(\d+)\r\n/.exec(text);
  return head === null ? '' : text.slice(head[0].length, head[0].length + Number(head[1]));
}
