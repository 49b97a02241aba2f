/**
 * A client that asks at random, in pipelines, and compares what it is told with the ledger.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import { Asker } from './asker.ts';
import { brief, type Scene } from './client-connection.ts';
import type { Write } from './ledger.ts';
import type { Random } from './random.ts';
import { ReplyError, type Reply } from './replies.ts';
import { SCRIPTS, asScript, type Script } from './scripts.ts';
import { shown } from './state.ts';
import { CHANNELS, SHARD_CHANNELS } from './subscriber.ts';

const MOST_WAITING = 60;
export const SHARED_LIST = '{x3}l';
const KINDS = ['s', 's', 'a', 'n'] as const;

export class ChaosClient extends Asker {
  readonly tags: readonly string[];
  #isInTransaction = false;

  constructor(scene: Scene, random: Random, name: string) {
    super(scene, random, name);
    this.tags = Array.from({ length: scene.tags }, (_, index) => `{${name}.${index}}`);
    this.#begin();
  }

  async run(): Promise<void> {
    const random = this.random;
    const { mostAtOnce, mayPause } = this.scene;
    while (!this.isStopping) {
      if (this.scene.mayDisconnect && random.chance(0.01)) {
        this.connection.leave();
        this.scene.ledger.count('disconnects');
      }
      if (this.connection.isOver) {
        this.connectAgain();
        this.#begin();
      }
      if (!this.#isInTransaction && this.connection.waiting < MOST_WAITING) {
        const count = random.chance(0.1) ? random.between(10, 30) : random.between(1, mostAtOnce);
        for (let index = 0; index < count && !this.#isInTransaction; index++) this.#askAnything();
        await this.connection.flush();
      }
      if (mayPause && random.chance(0.02)) await this.connection.pause(random.below(400));
      await sleep(random.below(50));
      this.connection.look();
    }
  }

  #begin(): void {
    this.#isInTransaction = false;
    if (this.random.chance(0.5)) this.#hello(3);
  }

  #askAnything(): void {
    const random = this.random;
    const draw = random.below(100);
    const { sharedKeys, mayTransact, mayBlock, mayPublish } = this.scene;
    const shared = (): string => random.pick(sharedKeys)!;
    if (draw < 4) {
      if (mayPublish) this.#publish();
    } else if (draw < 30) this.#get(this.#key(random.pick(KINDS)!));
    else if (draw < 38) this.#get(shared());
    else if (draw < 55) this.#set(this.#key('s'));
    else if (draw < 68) this.#append(this.#key('a'));
    else if (draw < 76) this.#increase(this.#key('n'));
    else if (draw < 80) this.#set(shared());
    else if (draw < 83) this.#delete(this.#key('s'));
    else if (draw < 87) this.#getAll();
    else if (draw < 91) this.#setAll();
    else if (draw < 93) {
      if (mayTransact) this.#transact(random.chance(0.5) ? shared() : this.#key('s'));
    } else if (draw < 96) this.#push(random.chance(0.3) ? SHARED_LIST : this.#key('l'));
    else if (draw < 97) {
      if (mayBlock) this.#pop(random.chance(0.3) ? SHARED_LIST : this.#key('l'));
    } else if (draw < 98) {
      if (this.scene.mayScript) this.#load(random.pick(SCRIPTS)!);
      else this.#expect(['PING'], 'PONG');
    } else if (draw < 99) this.#hello(random.chance(0.5) ? 3 : 2);
    else this.#expect(['ECHO', 'x'], 'x');
  }

  #key(kind: string): string {
    return `${this.random.pick(this.tags)!}${kind}`;
  }

  #expect(words: readonly string[], expected: string): void {
    const { name } = this.connection.session;
    this.connection.ask(words, (reply) => {
      if (reply !== expected)
        this.scene.ledger.violation(`${shown(words)} of ${name} was answered ${brief(reply)}`, [name]);
    });
  }

  #load({ text, sha }: Script): void {
    const { ledger } = this.scene;
    const askedAt = performance.now();
    this.connection.ask(['SCRIPT', 'LOAD', text], (reply) => {
      if (reply instanceof ReplyError) this.#refused(reply, 'SCRIPT');
      else if (reply === sha) ledger.loaded(sha, askedAt);
      else ledger.violation(`SCRIPT LOAD was answered ${brief(reply)}`, ['SCRIPT']);
    });
  }

  /** As it is, or as a script. */
  #perhapsScript(words: readonly string[], mayBeUnknown = true): readonly string[] {
    if (!this.scene.mayScript || this.random.chance(0.6)) return words;
    return asScript(words, mayBeUnknown && this.random.chance(0.7));
  }

  #hello(protocol: number): void {
    const { name } = this.connection.session;
    this.connection.ask(['HELLO', String(protocol)], (reply) => {
      if (!Array.isArray(reply) || reply[4] !== 'proto' || reply[5] !== protocol)
        this.scene.ledger.violation(`HELLO of ${name} was answered ${brief(reply)}`, [name]);
    });
  }

  /** What a read may see at least, once everything that its session asked before it is answered. */
  #looking(keys: readonly string[]): (index: number, reply: Reply) => void {
    const { session } = this.connection;
    const order = this.connection.order + 1;
    const sentAt = performance.now();
    const { ledger } = this.scene;
    const acknowledged = keys.map((key) => ledger.key(key).acknowledged);
    const { told } = this.connection;
    return (index, reply) => {
      const key = keys[index]!;
      if (reply instanceof ReplyError) return this.#refused(reply, key);
      const from = Math.max(acknowledged[index]!, told.get(key) ?? 0);
      const value = textOf(reply);
      const isStrict = this.scene.masterSince() < sentAt;
      // One that was refused or lost is tried again, and may see what was asked behind it.
      const before = this.scene.isOrderly ? order : Infinity;
      ledger.seen(key, value, isStrict ? { session, order: before, from } : { session, from: 0 });
    };
  }

  #refused({ text }: ReplyError, key: string): void {
    this.scene.ledger.count(`read: ${text.split(' ', 2).join(' ').replace(/\d+/g, 'N')}`);
    if (
      !/^(?:no upstream host|upstream failure|ERR max number of connections to Redis|MOVED|ASK|TRYAGAIN|CLUSTERDOWN|LOADING|MASTERDOWN|BUSY|UNBLOCKED|READONLY|NOSCRIPT|Fault Injected: Error$)/.test(
        text,
      )
    )
      this.scene.ledger.violation(`unexpected error to a read of ${key}: ${text}`, [key]);
  }

  #get(key: string): void {
    const look = this.#looking([key]);
    this.connection.ask(this.#perhapsScript(['GET', key]), (reply) => look(0, reply));
  }

  #getAll(): void {
    const keys = this.tags.map((tag) => `${tag}s`);
    const look = this.#looking(keys);
    this.connection.ask(['MGET', ...keys], (reply) => {
      if (reply instanceof ReplyError) return look(0, reply);
      if (!Array.isArray(reply) || reply.length !== keys.length)
        return this.scene.ledger.violation(`MGET was answered ${brief(reply)}`, keys);
      for (const [index, item] of reply.entries()) look(index, item);
    });
  }

  #note(token: number, key: string, words: readonly string[]): Write {
    const write = {
      token,
      key,
      session: this.connection.session,
      order: this.connection.order + 1,
      words: shown(words),
    };
    this.scene.mirrored?.asked(write);
    return this.scene.ledger.asked(write);
  }

  #write(words: readonly string[], writes: readonly Write[], isOne: boolean): void {
    const { told } = this.connection;
    this.connection.ask(words, (reply) => {
      this.scene.ledger.told(writes, reply, isOne);
      this.#remember(told, writes);
    });
  }

  #remember(told: Map<string, number>, writes: readonly Write[]): void {
    for (const { told: outcome, key, version } of writes)
      if (outcome === 'done' && version !== undefined) told.set(key, Math.max(told.get(key) ?? 0, version));
  }

  #set(key: string): void {
    const token = this.scene.ledger.newToken();
    const long = this.random.chance(0.02) ? 'x'.repeat(this.random.below(this.scene.mostLong)) : '';
    const words = this.#perhapsScript(['SET', key, `v${token}${long}`]);
    this.#write(words, [this.#note(token, key, words)], true);
  }

  #append(key: string): void {
    const token = this.scene.ledger.newToken();
    const words = this.#perhapsScript(['APPEND', key, `${token},`]);
    this.#write(words, [this.#note(token, key, words)], true);
  }

  #increase(key: string): void {
    const token = this.scene.ledger.newToken();
    const words = ['INCRBY', key, String(token)];
    this.#write(words, [this.#note(token, key, words)], true);
  }

  #publish(): void {
    const { ledger, published, unsure } = this.scene;
    const { session } = this.connection;
    const isSharded = this.random.chance(0.5);
    const channel = this.random.pick<string>(isSharded ? SHARD_CHANNELS : CHANNELS)!;
    const token = String(ledger.newToken());
    const sentAt = performance.now();
    const words = [isSharded ? 'SPUBLISH' : 'PUBLISH', channel, `${token} ${session.name}`];
    this.connection.ask(words, (reply) => {
      if (reply instanceof ReplyError) {
        unsure.add(token);
        this.#refused(reply, channel);
      } else published.push({ channel, token, sentAt });
    });
  }

  #push(key: string): void {
    const token = this.scene.ledger.newToken();
    const words = ['RPUSH', key, String(token)];
    this.#write(words, [this.#note(token, key, words)], true);
  }

  #pop(key: string): void {
    const { ledger } = this.scene;
    const { session } = this.connection;
    const seconds = this.random.pick(['0.05', '0.3', '1'])!;
    const askedAt = performance.now();
    this.connection.ask(['BLPOP', key, seconds], (reply) => {
      const tookMs = performance.now() - askedAt;
      if (reply instanceof ReplyError) {
        // While it waits nothing is carried out: whoever has its list by then goes on.
        const { isWhole, failoverWaitMs } = this.scene;
        if (reply.text.startsWith('upstream failure') && isWhole && tookMs < failoverWaitMs)
          ledger.violation(`BLPOP of ${session.name} was lost`, [key]);
        return this.#refused(reply, key);
      }
      if (reply === null) {
        if (tookMs < 1_000 * Number(seconds))
          ledger.violation(`BLPOP of ${session.name} did not wait for ${seconds} s`, [session.name, key]);
        return;
      }
      const [from, element] = Array.isArray(reply) ? reply : [];
      if (from !== key)
        ledger.violation(`BLPOP of ${session.name} was answered ${brief(reply)}`, [session.name]);
      ledger.took(key, String(element), session);
    });
  }

  #delete(key: string): void {
    const token = this.scene.ledger.newToken();
    const words = ['DEL', key, `${key.slice(0, key.indexOf('}') + 1)}tok${token}`];
    this.#write(words, [this.#note(token, key, words)], false);
  }

  #setAll(): void {
    const token = this.scene.ledger.newToken();
    const keys = this.tags.map((tag) => `${tag}s`);
    const words = ['MSET', ...keys.flatMap((key) => [key, `v${token}`])];
    this.#write(
      words,
      keys.map((key) => this.#note(token, key, words)),
      false,
    );
  }

  /** `key`: watched, half of the time, and written. */
  #transact(key: string): void {
    if (this.random.chance(0.5)) return this.#finishTransaction(key, undefined);
    this.#isInTransaction = true;
    const { session } = this.connection;
    const look = this.#looking([key]);
    let isWatched = true;
    this.connection.ask(['WATCH', key], (reply) => {
      if (!(reply instanceof ReplyError)) return;
      isWatched = false;
      this.#refused(reply, key);
    });
    this.connection.ask(['GET', key], (reply) => {
      look(0, reply);
      if (this.connection.session !== session) return;
      this.#isInTransaction = false;
      if (!isWatched || reply instanceof ReplyError) this.connection.ask(['UNWATCH'], () => {});
      else this.#finishTransaction(key, { value: textOf(reply) });
      void this.connection.flush();
    });
  }

  #finishTransaction(key: string, watched: { readonly value: string | null } | undefined): void {
    const { ledger } = this.scene;
    const { name } = this.connection.session;
    const { told } = this.connection;
    const tag = key.slice(0, key.indexOf('}') + 1);
    this.connection.ask(['MULTI'], () => {});
    const writes: Write[] = [];
    let isLost = false;
    const queue = (words: readonly string[], token: number, to: string): void => {
      writes.push(this.#note(token, to, words));
      this.connection.ask(words, (reply) => {
        if (reply instanceof ReplyError) isLost ||= reply.text.includes('nothing of it was carried out');
        else if (reply !== 'QUEUED')
          ledger.violation(`${shown(words)} of ${name} in MULTI was answered ${brief(reply)}`, [name, to]);
      });
    };
    const token = ledger.newToken();
    queue(this.#perhapsScript(['SET', key, `v${token}`], false), token, key);
    const other = ledger.newToken();
    queue(['APPEND', `${tag}a`, `${other},`], other, `${tag}a`);
    this.connection.ask(['EXEC'], (reply) => {
      const why = reply === null ? new ReplyError('EXECABORT by the watch') : reply;
      if (reply === null && watched === undefined)
        ledger.violation(`EXEC of ${name} was answered null, without a watch`, [name, key]);
      ledger.count(reply === null ? 'EXEC null' : 'EXEC');
      ledger.told(writes, why, true);
      this.#remember(told, writes);
      const done = writes.filter(({ timesCarriedOut }) => timesCarriedOut > 0);
      if (done.length > 0 && done.length < writes.length)
        ledger.violation(`half of a transaction of ${name} was carried out`, [name, key]);
      if (done.length > 0 && isLost)
        ledger.violation(`a transaction of ${name} was carried out that was said to be lost`, [name, key]);
      const [first] = writes;
      if (watched === undefined || why instanceof ReplyError || first?.version === undefined) return;
      const before = ledger.key(key).versions[first.version - 1]!.value;
      if (before !== watched.value)
        ledger.violation(
          `EXEC of ${name} was carried out, though ${key} had changed from ${watched.value} to ${before}`,
          [name, key],
        );
    });
  }
}

function textOf(reply: Reply): string | null {
  if (reply === null) return null;
  return typeof reply === 'string' ? reply : JSON.stringify(reply);
}
