/**
 * A client that subscribes and leaves at random: each confirmation is as Redis would say it, and of each publisher the
 * messages come in order, none twice, and none of what it has left.
 */
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

import { brief, type Scene } from './client-connection.ts';
import { HeardEvents } from './heard-events.ts';
import { HeardMessages } from './heard-messages.ts';
import { EVENTS } from './messages.ts';
import type { Random } from './random.ts';
import { ReplyError, ReplyReader, request, type Reply } from './replies.ts';
import { stalledSince } from './stalls.ts';
import { shown } from './state.ts';

export const CHANNELS = ['ch0', 'ch1', 'ch2'] as const;
export const SHARD_CHANNELS = ['{y0}', '{y0}b', '{y1}', '{y2}', '{y3}'] as const;
/** Not published by clients. */
const HEARD = [...CHANNELS, EVENTS];
const PATTERNS = ['ch*', 'ch1*', 'c*'] as const;
const OF_KIND = { '': HEARD, s: SHARD_CHANNELS, p: PATTERNS } as const;
/** Of one slot: Redis takes them in one command. */
const TOGETHER = ['{y0}', '{y0}b'] as const;

interface Asked {
  readonly kind: string;
  /** None is named. */
  readonly isAll: boolean;
  readonly channels: string[];
  /** Others that are named behind them were confirmed: a node has refused these, and an error must come. */
  readonly refused: string[];
  readonly sentAt: number;
}

export class ChaosSubscriber {
  readonly name: string;
  readonly #scene: Scene;
  readonly #random: Random;
  readonly #socket: Socket;
  /** By the letter before `subscribe`. */
  readonly #subscribed = { '': new Set<string>(), s: new Set<string>(), p: new Set<string>() };
  readonly #heard: HeardMessages;
  /** Since when, by channel. */
  readonly #since = new Map<string, number>();
  #asked: Asked | undefined;
  readonly #replies = new ReplyReader();
  #protocol = 2;
  #isStopping = false;
  #hasSaidSlow = false;
  readonly got = new Set<string>();
  readonly #events: HeardEvents;

  constructor(scene: Scene, random: Random, name: string) {
    [this.#scene, this.#random, this.name] = [scene, random, name];
    this.#events = new HeardEvents(scene.ledger);
    this.#heard = new HeardMessages(scene, name);
    this.#socket = scene.dial();
    this.#socket.on('error', () => {});
    this.#socket.on('data', (chunk: Buffer) => this.#read(chunk.toString('latin1')));
    this.#socket.on('close', () => {
      if (!this.#isStopping && !scene.isEnding()) scene.ledger.violation(`${name} was disconnected`, [name]);
      // Nobody answers it any more.
      this.#isStopping = true;
    });
  }

  get unanswered(): readonly string[] {
    return this.#asked === undefined ? [] : [`${this.name}: ${this.#asked.kind}`];
  }

  /** What it must have got; undefined: it is not subscribed to the channel, or was not all the time. */
  since(channel: string): number | undefined {
    return this.#since.get(channel);
  }

  /** Of which it should have been told more. */
  get missingEvents(): readonly string[] {
    return this.#events.missing;
  }

  stop(): void {
    this.#isStopping = true;
  }

  leave(): void {
    this.#isStopping = true;
    this.#socket.destroy();
  }

  async run(): Promise<void> {
    if (this.#random.chance(0.5)) this.#hello();
    while (!this.#isStopping) {
      if (this.#asked === undefined) this.#askAnything();
      await sleep(this.#random.below(120));
      const { longestMs, ledger } = this.#scene;
      if (this.#asked === undefined || this.#hasSaidSlow) continue;
      const { sentAt } = this.#asked;
      if (performance.now() - sentAt < longestMs + stalledSince(sentAt)) continue;
      this.#hasSaidSlow = true;
      ledger.violation(`no confirmation for ${longestMs} ms: ${this.#asked.kind} of ${this.name}`, [
        this.name,
      ]);
    }
  }

  get #isSubscribed(): boolean {
    return Object.values(this.#subscribed).some(({ size }) => size > 0);
  }

  #hello(): void {
    this.#ask('hello', [this.#random.pick(['2', '3', '3'])!]);
  }

  #askAnything(): void {
    if (this.#random.chance(0.05)) return this.#ask('ping', []);
    // In RESP2 a subscriber may not.
    if (this.#random.chance(0.05) && (this.#protocol === 3 || !this.#isSubscribed)) return this.#hello();
    const prefix = this.#random.pick(['s', 's', '', 'p'] as const)!;
    const isSharded = prefix === 's';
    const all: readonly string[] = OF_KIND[prefix];
    const any = all.filter(() => this.#random.chance(0.5));
    const several = isSharded && !this.#scene.isPlain ? TOGETHER : any;
    const one = [this.#random.pick(all)!];
    const some = several.length > 0 && this.#random.chance(isSharded ? 0.3 : 0.8) ? several : one;
    if (this.#random.chance(0.6)) this.#ask(`${prefix}subscribe`, some);
    else this.#ask(`${prefix}unsubscribe`, this.#random.chance(0.2) ? [] : some);
  }

  #ask(kind: string, channels: readonly string[]): void {
    const words = [kind.toUpperCase(), ...channels];
    this.#scene.ledger.note(this.name, `${this.name} asks ${shown(words)}`);
    const of = this.#of(kind);
    const awaited = channels.length > 0 || kind === 'hello' ? [...channels] : [...of];
    const isAll = channels.length === 0;
    const named = awaited.length > 0 ? awaited : [''];
    this.#asked = { kind, isAll, channels: named, refused: [], sentAt: performance.now() };
    if (kind === 'subscribe' && channels.includes(EVENTS)) this.#events.asked();
    if (kind.includes('un')) for (const channel of awaited) this.#since.delete(channel);
    this.#socket.write(request(words), 'latin1');
  }

  #of(kind: string): Set<string> {
    return this.#subscribed[letterOf(kind)];
  }

  /** To how many it is subscribed, as a confirmation says it. */
  #countOf(kind: string): number {
    const { '': channels, s: shardChannels, p: patterns } = this.#subscribed;
    return letterOf(kind) === 's' ? shardChannels.size : channels.size + patterns.size;
  }

  #read(text: string): void {
    try {
      this.#replies.read(text, (reply) => this.#take(reply));
    } catch (problem) {
      this.#wrong(String(problem));
      this.leave();
    }
  }

  #wrong(what: string, about: readonly string[] = []): void {
    this.#scene.ledger.violation(`${this.name}: ${what}`, [this.name, ...about]);
  }

  #take(reply: Reply): void {
    const [kind, name, last, text] = Array.isArray(reply) ? (reply as readonly Reply[]) : [];
    if (kind === 'message' || kind === 'smessage') return this.#message(kind, textOf(name), textOf(last));
    if (kind === 'pmessage') return this.#message(kind, textOf(name), textOf(text), textOf(last));
    this.#scene.ledger.note(this.name, `${this.name} is told ${brief(reply)}`);
    const asked = this.#asked;
    if (asked === undefined) return this.#wrong(`told what nobody asked: ${brief(reply)}`);
    if (asked.kind === 'hello' || asked.kind === 'ping') {
      this.#asked = undefined;
      return asked.kind === 'hello' ? this.#greeted(asked, reply) : this.#pong(reply);
    }
    if (reply instanceof ReplyError) {
      this.#asked = undefined;
      this.#scene.ledger.count(`subscriptions: ${reply.text.split(' ', 2).join(' ').replace(/\d+/g, 'N')}`);
      if (
        !/^(?:no upstream host|upstream failure|ERR max number of connections to Redis|MOVED|CLUSTERDOWN|LOADING|MASTERDOWN|BUSY)/.test(
          reply.text,
        )
      )
        this.#wrong(`unexpected error ${reply.text}`);
      return;
    }
    // Of all that it has Redis leaves them in whatever order its table has them.
    const at = Math.max(0, asked.channels.indexOf(textOf(name)));
    const [channel = ''] = asked.channels.splice(at, 1);
    if (!asked.isAll) asked.refused.push(...asked.channels.splice(0, at));
    const of = this.#of(asked.kind);
    const isLeaving = asked.kind.includes('un');
    if (isLeaving) of.delete(channel);
    else of.add(channel);
    if (channel === EVENTS && isLeaving) this.#events.ended();
    else if (channel === EVENTS) this.#events.told();
    const isRight = kind === asked.kind && (name ?? '') === channel && last === this.#countOf(asked.kind);
    if (!isRight)
      this.#wrong(
        `${asked.kind} ${channel} was answered ${brief(reply)}, not with ${this.#countOf(asked.kind)}`,
      );
    if (!isLeaving && !this.#since.has(channel)) this.#since.set(channel, performance.now());
    if (asked.channels.length === 0 && asked.refused.length === 0) this.#asked = undefined;
    this.#scene.ledger.count('confirmations');
  }

  #greeted({ channels: [protocol] }: Asked, reply: Reply): void {
    this.#protocol = Number(protocol);
    if (!Array.isArray(reply) || reply[5] !== this.#protocol)
      this.#wrong(`HELLO ${protocol} was answered ${brief(reply)}`);
  }

  #pong(reply: Reply): void {
    const isOfSubscriber = this.#protocol === 2 && this.#isSubscribed;
    if (JSON.stringify(reply) !== (isOfSubscriber ? '["pong",""]' : '"PONG"'))
      this.#wrong(`PING in RESP${this.#protocol} was answered ${brief(reply)}`);
  }

  /** `text`: its number, and whose it is; `through`: to which channel a message came by a pattern. */
  #message(kind: string, channel: string, text: string, through = ''): void {
    const { ledger } = this.#scene;
    ledger.count('messages');
    ledger.note(`${this.name} ${text}`, `${this.name} gets ${text} of ${channel}`);
    const [token = ''] = text.split(' ');
    if (!this.#of(kind).has(channel))
      this.#wrong(`${text} of ${channel}, to which it is not subscribed`, [token]);
    if (channel === EVENTS) {
      if (this.#events.hear(text)) this.#wrong(`told too often of ${text}`, [text]);
      return;
    }
    this.#heard.hear(channel, text, through);
    if (this.#scene.unsure.has(token)) return;
    if (kind !== 'pmessage') this.got.add(token);
  }
}

function letterOf(kind: string): 's' | 'p' | '' {
  if (kind === 'pmessage' || /^p(?:un)?sub/.test(kind)) return 'p';
  return kind === 'smessage' || /^s(?:sub|unsub)/.test(kind) ? 's' : '';
}

function textOf(reply: Reply | undefined): string {
  return typeof reply === 'string' ? reply : JSON.stringify(reply);
}
