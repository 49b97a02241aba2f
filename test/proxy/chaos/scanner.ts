/**
 * A client that goes through all keys, again and again: each that was there all the while comes at least once.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import { Asker } from './asker.ts';
import { brief, type Scene } from './client-connection.ts';
import type { Random } from './random.ts';
import { ReplyError, type Reply } from './replies.ts';
import { named } from './routes.ts';
import { slotOfKey } from './state.ts';

/** Many times what all shards need. */
const MOST_STEPS = 3_000;
/** Of lists, elements go without a word. */
const isListed = (key: string): boolean => !key.endsWith('l');
/** Of other routes they are elsewhere. */
const isOfCatchAll = (key: string): boolean => named(key) === key;

export class ChaosScanner extends Asker {
  readonly #mayBeMissed: (slot: number, since: number) => boolean;

  /** `mayBeMissed`: keys of the slot, by a scan that has begun then. */
  constructor(
    scene: Scene,
    random: Random,
    name: string,
    mayBeMissed: (slot: number, since: number) => boolean,
  ) {
    super(scene, random, name);
    this.#mayBeMissed = mayBeMissed;
  }

  async run(): Promise<void> {
    while (!this.isStopping) {
      await this.#goThrough();
      await sleep(this.random.below(100));
    }
  }

  async #goThrough(): Promise<void> {
    const { ledger } = this.scene;
    const { name } = this.connection.session;
    const since = performance.now();
    const there = ledger.there();
    const found = new Set<string>();
    const count = this.random.pick(['1', '3', '10'])!;
    const cursors: string[] = [];
    let cursor = '0';
    let steps = 0;
    do {
      steps += 1;
      if (steps > MOST_STEPS)
        return ledger.violation(`SCAN of ${name} does not end: ${cursors.slice(-5).join(' ')}`, [name]);
      const reply = await this.#ask(['SCAN', cursor, 'COUNT', count]);
      if (reply === undefined) return;
      if (reply instanceof ReplyError) {
        this.#refused(reply);
        continue;
      }
      const [next, keys] = Array.isArray(reply) ? (reply as readonly Reply[]) : [];
      if (typeof next !== 'string' || !/^\d+$/.test(next) || !Array.isArray(keys))
        return ledger.violation(`SCAN of ${name} was answered ${brief(reply)}`, [name]);
      for (const key of keys as readonly Reply[]) if (typeof key === 'string') found.add(key);
      cursor = next;
      cursors.push(next);
      await sleep(this.random.below(4));
    } while (cursor !== '0' || cursors.length === 0);
    ledger.count('scans of all');
    const missing = there.filter(
      ({ key, version }) =>
        isListed(key) &&
        (!this.scene.isRouted || isOfCatchAll(key)) &&
        !found.has(key) &&
        ledger.hasStayed(key, version) &&
        !this.#mayBeMissed(slotOfKey(key), since),
    );
    for (const { key } of missing)
      ledger.violation(`SCAN of ${name} has not found ${key} (${slotOfKey(key)}), by ${cursors.join(' ')}`, [
        name,
      ]);
  }

  /** Asked again with the same cursor, as clients do. */
  #refused({ text }: ReplyError): void {
    const { ledger } = this.scene;
    ledger.count(`scan: ${text.split(' ', 2).join(' ')}`);
    if (!/^(?:no upstream host$|upstream failure$|LOADING|MASTERDOWN|BUSY|Fault Injected: Error$)/.test(text))
      ledger.violation(`unexpected error to a SCAN: ${text}`, [this.connection.session.name]);
  }

  /** undefined: it is told to stop. */
  async #ask(words: readonly string[]): Promise<Reply | undefined> {
    const replies: Reply[] = [];
    this.connection.ask(words, (reply) => replies.push(reply));
    await this.connection.flush();
    while (replies.length === 0 && !this.isStopping) {
      await sleep(2);
      this.connection.look();
    }
    return replies[0];
  }
}
