/**
 * Somebody who pushes elements and entries, and waits for some.
 */
import { brief } from './client-connection.ts';
import type { Session, Write } from './ledger.ts';
import { moveTo } from './moves.ts';
import { ReplyError, type Reply } from './replies.ts';
import { unnamed } from './routes.ts';
import { ADDED, acknowledging, ofAcknowledged, readingGroup } from './streams.ts';
import { SubscribingAsker } from './subscribing-asker.ts';

const SHARED_TAG = '{x3}';
export const SHARED_LIST = `${SHARED_TAG}l`;

export abstract class PoppingAsker extends SubscribingAsker {
  protected push(): void {
    const key = `${this.#tag()}${this.random.pick(['l', 'l', 'ml'])}`;
    const token = this.scene.ledger.newToken();
    const words = ['RPUSH', key, String(token)];
    this.write(words, [this.note(token, key, words)], true);
  }

  protected pop(): void {
    const tag = this.#tag();
    const keys = this.random.chance(0.6) ? [`${tag}l`] : [`${tag}l`, `${tag}ml`];
    const { session } = this.connection;
    const seconds = this.random.pick(['0.05', '0.3', '1'])!;
    const isPlain = this.random.chance(0.6);
    const words = isPlain
      ? ['BLPOP', ...keys, seconds]
      : ['BLMPOP', seconds, String(keys.length), ...keys, 'LEFT'];
    const askedAt = performance.now();
    this.connection.ask(words, (reply) => {
      const tookMs = performance.now() - askedAt;
      if (reply instanceof ReplyError) this.#failed(reply, session, keys, tookMs);
      else if (reply !== null) this.#got(reply, session, keys, isPlain);
      else if (tookMs < 1_000 * Number(seconds))
        this.scene.ledger.violation(`a pop of ${session.name} did not wait for ${seconds} s`, [session.name]);
    });
  }

  protected add(): void {
    const key = `${this.#tag()}x`;
    const token = this.scene.ledger.newToken();
    const words = ['XADD', key, ...ADDED, String(token)];
    this.write(words, [this.note(token, key, words)], true);
  }

  protected readGroup(): void {
    const key = `${this.#tag()}x`;
    const { session } = this.connection;
    const ms = this.random.pick([50, 300, 1_000])!;
    const askedAt = performance.now();
    this.connection.ask(readingGroup(key, ms), (reply) => {
      const tookMs = performance.now() - askedAt;
      if (reply instanceof ReplyError) this.#failed(reply, session, [key], tookMs);
      else if (reply !== null) this.#gotEntry(reply, session, key);
      else if (tookMs < ms)
        this.scene.ledger.violation(`a read of ${session.name} did not wait for ${ms} ms`, [session.name]);
    });
  }

  #gotEntry(reply: Reply, session: Session, key: string): void {
    const { ledger } = this.scene;
    const [, name, id, element] =
      /^\[+"([^"]*)",\[\["([^"]*)",\["e","([^"]*)"[\]]+$/.exec(JSON.stringify(reply)) ?? [];
    if (unnamed(name ?? '') !== key || id === undefined || element === undefined)
      return ledger.violation(`a read of ${session.name} was answered ${brief(reply)}`, [session.name]);
    ledger.took(key, element, session);
    const isFree = this.connection.session === session && !this.isInTransaction && !this.connection.isOver;
    if (!isFree || this.random.chance(0.3)) return;
    const token = ledger.newToken();
    const words = acknowledging(key, id, token);
    const write = this.note(token, ofAcknowledged(key), words);
    this.connection.ask(words, (count) => {
      ledger.told([write], count, true);
      ledger.count(`acknowledged ${brief(count).slice(0, 20)}`);
      if (!(count instanceof ReplyError) && count !== 1)
        ledger.violation(`${write.words} of ${session.name} was answered ${brief(count)}`, [
          key,
          session.name,
        ]);
    });
    void this.connection.flush();
  }

  /** To a list of its own, so that whoever does it can say for whom. */
  protected move(): void {
    const { ledger, mayBlock } = this.scene;
    const tag = this.#tag();
    const token = ledger.newToken();
    const to = moveTo(tag, token);
    const seconds = mayBlock && this.random.chance(0.6) ? this.random.pick(['0.05', '0.3', '1'])! : undefined;
    const ends = [`${tag}l`, to, 'LEFT', 'RIGHT'];
    const words = seconds === undefined ? ['LMOVE', ...ends] : ['BLMOVE', ...ends, seconds];
    const write = this.note(token, to, words);
    const { told, session } = this.connection;
    const askedAt = performance.now();
    this.connection.ask(words, (reply) => {
      const tookMs = performance.now() - askedAt;
      if (reply === null && tookMs < 1_000 * Number(seconds ?? 0))
        ledger.violation(`a move of ${session.name} did not wait for ${seconds} s`, [session.name]);
      this.#moved(write, reply);
      this.remember(told, [write]);
    });
  }

  #moved(write: Write, reply: Reply): void {
    const { ledger } = this.scene;
    const { session, key, words } = write;
    if (reply === null && write.talk?.isReset === true) return ledger.count('moved, and nobody was told');
    ledger.told([write], reply ?? new ReplyError('EXECABORT nothing to move'), true);
    if (reply === null || reply instanceof ReplyError) return;
    ledger.count('moves');
    if (ledger.value(key) !== reply)
      ledger.violation(`${words} of ${session.name} was answered ${brief(reply)}`, [key, session.name]);
  }

  #tag(): string {
    return this.random.chance(0.3) ? SHARED_TAG : this.random.pick(this.tags)!;
  }

  /** While it waits nothing is carried out: whoever has its list by then goes on. */
  #failed(reply: ReplyError, { name }: Session, keys: readonly string[], tookMs: number): void {
    const { isWhole, failoverWaitMs, ledger } = this.scene;
    const isLost = reply.text.startsWith('upstream failure') && !this.scene.isEnding();
    if (isLost && isWhole && tookMs < failoverWaitMs) ledger.violation(`a pop of ${name} was lost`, keys);
    this.refused(reply, keys[0]!);
  }

  #got(reply: Reply, session: Session, keys: readonly string[], isPlain: boolean): void {
    const { ledger } = this.scene;
    const [from, popped] = Array.isArray(reply) ? (reply as readonly Reply[]) : [];
    const [element] = isPlain ? [popped] : Array.isArray(popped) ? (popped as readonly Reply[]) : [];
    const key = typeof from === 'string' ? unnamed(from) : '';
    if (!keys.includes(key) || typeof element !== 'string')
      return ledger.violation(`a pop of ${session.name} was answered ${brief(reply)}`, [session.name]);
    ledger.took(key, element, session);
  }
}
