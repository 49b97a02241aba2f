/**
 * A client that asks at random, in pipelines, and compares what it is told with the ledger.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import { brief, type Scene } from './client-connection.ts';
import { PoppingAsker } from './popping-asker.ts';
import type { Random } from './random.ts';
import { ReplyError } from './replies.ts';
import { SCRIPTS, type Script } from './scripts.ts';
import { padding } from './values.ts';

const MOST_WAITING = 60;
const KINDS = ['s', 's', 't', 'a', 'n'] as const;

export class ChaosClient extends PoppingAsker {
  constructor(scene: Scene, random: Random, name: string) {
    super(scene, random, name);
    this.#begin();
  }

  async run(): Promise<void> {
    const random = this.random;
    const { mostAtOnce, mayPause } = this.scene;
    while (!this.isStopping) {
      if (this.scene.mayDisconnect && random.chance(0.01)) {
        await this.#disconnect();
        this.scene.ledger.count('disconnects');
      }
      if (this.connection.isOver && this.scene.isEnding()) return;
      if (this.connection.isOver) {
        this.connectAgain();
        this.#begin();
      }
      if (!this.isInTransaction && this.connection.waiting < MOST_WAITING) {
        const count = random.chance(0.1) ? random.between(10, 30) : random.between(1, mostAtOnce);
        for (let index = 0; index < count && !this.isInTransaction; index++) this.#askAnything();
        await this.connection.flush();
      }
      if (mayPause && random.chance(0.02)) await this.connection.pause(random.below(400));
      await sleep(random.below(50));
      this.connection.look();
    }
  }

  /** Between commands, in the middle of one, or of a reply. */
  async #disconnect(): Promise<void> {
    const { random, connection } = this;
    const draw = random.below(10);
    if (draw < 3 && !this.isInTransaction) return this.#breakOff();
    if (draw < 6 && connection.waiting < MOST_WAITING && !this.isInTransaction) {
      for (let count = 0; count < 5; count++) this.#get(this.key('s'));
      await connection.flush();
      await connection.pause(random.below(20));
    }
    connection.leave();
  }

  #breakOff(): void {
    const { ledger, long } = this.scene;
    const token = ledger.newToken();
    const key = this.key('s');
    const words = ['SET', key, `v${token}${padding(this.random, long)}`];
    const write = this.note(token, key, words);
    this.connection.breakOff(words);
    ledger.told([write], new ReplyError('EXECABORT half of it was asked'), true);
  }

  #begin(): void {
    this.isInTransaction = false;
    if (this.random.chance(0.5)) this.#hello(3);
  }

  #askAnything(): void {
    const random = this.random;
    const draw = random.below(100);
    const { sharedKeys, mayTransact, mayBlock, mayPublish } = this.scene;
    const shared = (): string => random.pick(sharedKeys)!;
    if (draw < 4) {
      if (mayPublish && random.chance(0.5)) this.publish();
      else if (mayPublish) this.subscribe();
    } else if (draw < 30) this.#get(this.key(random.pick(KINDS)!));
    else if (draw < 38) this.#get(shared());
    else if (draw < 55) this.#set(this.key(random.chance(0.8) ? 's' : 't'));
    else if (draw < 68) this.#append(this.key('a'));
    else if (draw < 76) this.#increase(this.key('n'));
    else if (draw < 80) this.#set(shared());
    else if (draw < 83) this.#delete(random.pick(this.tags)!);
    else if (draw < 87) this.#getAll();
    else if (draw < 91) this.#setAll();
    else if (draw < 93) {
      if (mayTransact) this.transact(random.chance(0.5) ? shared() : this.key('s'));
    } else if (draw < 96) {
      this[random.pick(['move', 'add', 'push', 'push'] as const)!]();
    } else if (draw < 97) {
      if (mayBlock) this[random.pick(['pop', 'pop', 'readGroup'] as const)!]();
    } else if (draw < 98) {
      if (this.scene.mayScript) this.#load(random.pick(SCRIPTS)!);
      else this.expect(['PING'], 'PONG');
    } else if (draw < 99) {
      // A subscriber of RESP2 may ask for nothing else.
      if (random.chance(0.3)) this.reset();
      else this.#hello(random.chance(0.5) || this.connection.maySubscribe ? 3 : 2);
    } else this.expect(['ECHO', 'x'], 'x');
  }

  #load({ text, sha }: Script): void {
    const { ledger } = this.scene;
    const askedAt = performance.now();
    this.connection.ask(['SCRIPT', 'LOAD', text], (reply) => {
      if (reply instanceof ReplyError) this.refused(reply, 'SCRIPT');
      else if (reply === sha) ledger.loaded(sha, askedAt);
      else ledger.violation(`SCRIPT LOAD was answered ${brief(reply)}`, ['SCRIPT']);
    });
  }

  #hello(protocol: number): void {
    const { name } = this.connection.session;
    this.connection.ask(['HELLO', String(protocol)], (reply) => {
      if (!Array.isArray(reply) || reply[4] !== 'proto' || reply[5] !== protocol)
        this.scene.ledger.violation(`HELLO of ${name} was answered ${brief(reply)}`, [name]);
    });
    if (protocol === 3 && this.scene.mayKeep && this.random.chance(0.5))
      this.expect(['CLIENT', 'TRACKING', 'ON'], 'OK');
  }

  #get(key: string): void {
    if (this.connection.kept.has(key) && this.random.chance(0.7))
      return this.scene.ledger.count('not asked again');
    const look = this.looking([key]);
    this.connection.ask(this.perhapsScript(['GET', key]), (reply) => look(0, reply));
  }

  /** One of each slot, or two. */
  #severalKeys(): readonly string[] {
    const kinds = this.random.chance(0.5) ? ['s'] : ['s', 't'];
    return this.tags.flatMap((tag) => kinds.map((kind) => `${tag}${kind}`));
  }

  #getAll(): void {
    const keys = this.#severalKeys();
    const look = this.looking(keys);
    this.connection.ask(['MGET', ...keys], (reply) => {
      if (reply instanceof ReplyError) return look(0, reply);
      if (!Array.isArray(reply) || reply.length !== keys.length)
        return this.scene.ledger.violation(`MGET was answered ${brief(reply)}`, keys);
      for (const [index, item] of reply.entries()) look(index, item);
    });
  }

  #set(key: string): void {
    const token = this.scene.ledger.newToken();
    const isExchange = this.random.chance(0.15);
    const value = `v${token}${padding(this.random, this.scene.long)}`;
    const words = this.perhapsScript(['SET', key, value, ...(isExchange ? ['GET'] : [])]);
    const write = this.note(token, key, words);
    if (isExchange) this.exchange(write, words);
    else this.write(words, [write], true);
  }

  #append(key: string): void {
    const token = this.scene.ledger.newToken();
    const words = this.perhapsScript(['APPEND', key, `${token},`]);
    this.write(words, [this.note(token, key, words)], true);
  }

  #increase(key: string): void {
    const token = this.scene.ledger.newToken();
    const words = ['INCRBY', key, String(token)];
    this.write(words, [this.note(token, key, words)], true);
  }

  #delete(tag: string): void {
    const token = this.scene.ledger.newToken();
    const keys = this.random.chance(0.5) ? [`${tag}s`] : [`${tag}s`, `${tag}t`];
    const words = ['DEL', ...keys, `${tag}tok${token}`];
    this.write(
      words,
      keys.map((key) => this.note(token, key, words)),
      false,
    );
  }

  #setAll(): void {
    const token = this.scene.ledger.newToken();
    const keys = this.#severalKeys();
    const words = ['MSET', ...keys.flatMap((key) => [key, `v${token}`])];
    this.write(
      words,
      keys.map((key) => this.note(token, key, words)),
      false,
    );
  }
}
