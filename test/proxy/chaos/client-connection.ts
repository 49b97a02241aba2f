/**
 * One connection of a client: what was asked on it, and what came back.
 */
import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

import { HeardMessages } from './heard-messages.ts';
import { KeptValues } from './kept.ts';
import type { Ledger, Session } from './ledger.ts';
import type { Random } from './random.ts';
import { named } from './routes.ts';
import { ReplyError, ReplyReader, request, type Protocols, type Reply } from './replies.ts';
import { stalledSince } from './stalls.ts';
import { shown } from './state.ts';

/** They wait by their nature, and all that is asked behind them with them. */
const WAITING = new Set(['BLPOP', 'BLMPOP', 'BLMOVE', 'XREADGROUP']);

/** What is true for all clients of a run. */
export interface Scene {
  readonly ledger: Ledger;
  readonly mirrored: Ledger | undefined;
  /** A connection to the proxy. */
  dial(): Socket;
  /** The proxy takes nothing more in. */
  isEnding(): boolean;
  /** Since when all reads go to primaries; Infinity: they do not. */
  masterSince(): number;
  /** Of clients that all of them use. */
  readonly sharedKeys: readonly string[];
  /** Of a client: how many slots of its own. */
  readonly tags: number;
  readonly mostAtOnce: number;
  /** Now and then nobody reads what comes. */
  readonly mayPause: boolean;
  readonly mayDisconnect: boolean;
  readonly mayTransact: boolean;
  readonly mayBlock: boolean;
  readonly mayPublish: boolean;
  /** Plain servers, whose shard channels may be named in one command whatever their slots. */
  readonly isPlain: boolean;
  /** Keys have prefixes, for some of which there are routes. */
  readonly isRouted: boolean;
  readonly mayScript: boolean;
  /** Some keep what they read, and are told when it has changed. */
  readonly mayKeep: boolean;
  /** How many values are long, and how long at most. */
  readonly long: { readonly share: number; readonly most: number };
  /** By channel: what was published, and its publisher was told so. */
  /** Messages that were lost on their way, or not. */
  readonly unsure: Set<string>;
  readonly published: { readonly channel: string; readonly token: string; readonly sentAt: number }[];
  readonly longestMs: number;
  /** No read is refused or lost. */
  readonly isOrderly: boolean;
  /** No node goes in the middle of a reply. */
  readonly isWhole: boolean;
  /** So long a command is tried. */
  readonly failoverWaitMs: number;
}

interface Asked {
  readonly words: readonly string[];
  readonly sentAt: number;
  /** Also where its client has ended its own direction meanwhile. */
  readonly isTold: boolean;
  answered(reply: Reply): void;
}

export class ClientConnection {
  readonly session: Session;
  /** What it was told of, by key: a version. */
  readonly told = new Map<string, number>();
  /** Of what is asked last. */
  order = 0;
  /** Of what is asked next, where nothing is refused. */
  protocolAsked: 2 | 3 = 2;
  /** Channels, as it was told. */
  readonly subscribed = new Set<string>();
  /** It has asked for one. */
  maySubscribe = false;
  readonly kept: KeptValues;
  slowestMs = 0;
  /** What it asked before waits since then, for all that is documented. */
  #countsFrom = 0;
  readonly #scene: Scene;
  readonly #random: Random;
  readonly #socket: Socket;
  readonly #waiting: Asked[] = [];
  readonly #replies = new ReplyReader();
  #out: string[] = [];
  #isFlushing = false;
  #hasSaidSlow = false;
  readonly #heard: HeardMessages;
  #protocol: 2 | 3 = 2;

  constructor(scene: Scene, random: Random, name: string) {
    this.#scene = scene;
    this.#random = random;
    this.#heard = new HeardMessages(scene, name);
    this.kept = new KeptValues(scene.ledger, name);
    this.session = { name, endedAt: undefined, isHalfOpen: false, isCut: false };
    const socket = scene.dial();
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => this.#read(chunk.toString('latin1')));
    socket.on('error', () => {});
    socket.on('close', () => {
      if (this.isOver) return;
      this.session.isCut = scene.isEnding();
      this.#note([], `${name} is sent away`);
      if (!this.session.isCut) scene.ledger.violation(`${name} was disconnected`, [name]);
      this.session.endedAt = performance.now();
    });
  }

  get isOver(): boolean {
    return this.session.endedAt !== undefined;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** What it has asked and not been told, the oldest first. */
  get unanswered(): readonly string[] {
    return this.isOver ? [] : this.#waiting.map(({ words }) => shown(words));
  }

  leave(): void {
    if (this.isOver) return;
    this.session.endedAt = performance.now();
    this.#note([], `${this.session.name} goes`);
    this.session.isHalfOpen = this.#random.chance(0.5);
    if (this.session.isHalfOpen) this.#socket.end();
    else this.#socket.destroy();
  }

  /** In the middle of a command, which nobody may carry out. */
  breakOff(words: readonly string[]): void {
    if (this.isOver || this.#isFlushing) return this.leave();
    const text = request(this.#scene.isRouted ? words.map(named) : words);
    this.#note(words, `${this.session.name} asks half of ${shown(words)}`);
    this.#socket.write(text.slice(0, this.#random.between(1, text.length - 1)), 'latin1');
    this.leave();
  }

  async pause(ms: number): Promise<void> {
    this.#socket.pause();
    await sleep(ms);
    this.#socket.resume();
    this.#countsFrom = performance.now();
  }

  /** `isTold`: also where it has ended its own direction meanwhile. */
  ask(words: readonly string[], answered: (reply: Reply) => void, isTold = false): void {
    this.order += 1;
    if (words[0] === 'HELLO') this.protocolAsked = words[1] === '3' ? 3 : 2;
    if (words[0]?.endsWith('SUBSCRIBE') === true) this.maySubscribe = true;
    if (words[0] === 'RESET') [this.protocolAsked, this.maySubscribe] = [2, false];
    if (words[0] === 'CLIENT') this.kept.isAsked = true;
    if (this.protocolAsked === 2) this.kept.isAsked = false;
    this.#waiting.push({ words, sentAt: performance.now(), isTold, answered });
    this.#out.push(request(this.#scene.isRouted ? words.map(named) : words));
    this.#note(words, `${this.session.name} asks ${shown(words)}`);
  }

  async flush(): Promise<void> {
    if (this.#isFlushing) return;
    const text = this.#out.join('');
    this.#out = [];
    this.#isFlushing = true;
    await this.#send(text);
    this.#isFlushing = false;
    if (this.#out.length > 0) await this.flush();
  }

  /** Now and then in two pieces. */
  async #send(text: string): Promise<void> {
    const cut = this.#random.chance(0.05) ? this.#random.below(text.length) : 0;
    if (cut > 0) {
      this.#socket.write(text.slice(0, cut), 'latin1');
      await sleep(this.#random.below(20));
    }
    if (!this.isOver) this.#socket.write(text.slice(cut), 'latin1');
  }

  /** What takes too long. */
  look(): void {
    const [oldest] = this.#waiting;
    if (oldest !== undefined) this.#judge(oldest);
  }

  #judge(asked: Asked): void {
    const { longestMs, ledger } = this.#scene;
    const waitedMs = this.#waitedMs(asked);
    if (this.isOver) return;
    if (!WAITING.has(asked.words[0] ?? '')) this.slowestMs = Math.max(this.slowestMs, waitedMs);
    if (this.#hasSaidSlow || waitedMs < longestMs) return;
    this.#hasSaidSlow = true;
    const about = [...asked.words.slice(1), this.session.name];
    ledger.violation(`no reply for ${longestMs} ms: ${shown(asked.words)}`, about);
  }

  #waitedMs({ sentAt }: Asked): number {
    const since = Math.max(sentAt, this.#countsFrom);
    const waitedMs = performance.now() - since;
    return waitedMs < this.#scene.failoverWaitMs ? waitedMs : waitedMs - stalledSince(since);
  }

  #read(text: string): void {
    // Who has ended its own direction only is told what became of its messages.
    if (this.isOver && !this.session.isHalfOpen) return;
    try {
      this.#replies.read(text, (reply, only) => this.#answered(reply, only));
    } catch (problem) {
      this.#scene.ledger.violation(`${this.session.name}: ${String(problem)}`, [this.session.name]);
      this.leave();
    }
  }

  #answered(reply: Reply, only: Protocols): void {
    if (only.has(3) && Array.isArray(reply) && this.#isMessage(reply)) return;
    const asked = this.#waiting.shift();
    if (asked === undefined) throw new Error(`a reply to nothing: ${brief(reply)}`);
    const tookMs = performance.now() - asked.sentAt;
    const hasWaited = WAITING.has(asked.words[0] ?? '') && !(reply instanceof ReplyError);
    if (hasWaited) this.#countsFrom = performance.now();
    this.#judge(asked);
    this.#scene.ledger.count('replies');
    this.#follow(asked.words, reply, only);
    const after = `after ${tookMs.toFixed(1)}: ${brief(reply)}`;
    this.#note(asked.words, `${this.session.name} is told of ${shown(asked.words)} ${after}`);
    if (!this.isOver || asked.isTold) asked.answered(reply);
  }

  #isMessage([kind, channel, text]: readonly Reply[]): boolean {
    if (kind === 'invalidate') {
      this.kept.changed(channel ?? null);
      return true;
    }
    if (kind !== 'message' && kind !== 'smessage') return false;
    if (typeof channel === 'string' && typeof text === 'string') this.#hear(channel, text);
    return true;
  }

  #hear(channel: string, text: string): void {
    // What it has subscribed to since it has ended its direction is not noted.
    if (this.isOver) return;
    const { ledger } = this.#scene;
    const { name } = this.session;
    ledger.count('messages to clients');
    ledger.note(`${name} ${text}`, `${name} gets ${text} of ${channel}`);
    if (!this.subscribed.has(channel))
      ledger.violation(`${name}: ${text} of ${channel}, to which it is not subscribed`, [name, text]);
    this.#heard.hear(channel, text, '');
  }

  /** Replies are of the protocol that was in force when they were asked for. */
  #follow([name, version]: readonly string[], reply: Reply, only: Protocols): void {
    if (name === 'HELLO' && !(reply instanceof ReplyError)) this.#protocol = version === '3' ? 3 : 2;
    if (name === 'RESET' || (name === 'HELLO' && this.#protocol === 2)) this.kept.forget();
    if (name === 'RESET') {
      this.#protocol = 2;
      this.subscribed.clear();
    }
    if (only.size === 0 || (only.size === 1 && only.has(this.#protocol))) return;
    const { name: who } = this.session;
    this.#scene.ledger.violation(`${who} of RESP${this.#protocol} got ${brief(reply)} of ${name}`, [who]);
  }

  #note(words: readonly string[], text: string): void {
    this.#scene.ledger.note(`${this.session.name} ${words.join(' ').slice(0, 200)}`, text);
  }
}

export function brief(reply: Reply): string {
  const text = JSON.stringify(reply);
  return text.length > 100 ? `${text.slice(0, 60)}…(${text.length})` : text;
}
