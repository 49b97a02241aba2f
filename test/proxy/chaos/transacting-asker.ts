/**
 * Somebody who carries out transactions: after a watch or without one, to their end, or called off.
 */
import { brief } from './client-connection.ts';
import { KeyAsker, textOf } from './key-asker.ts';
import type { Write } from './ledger.ts';
import { ReplyError, type Reply } from './replies.ts';
import { shown } from './state.ts';

/** By key, as the client has read it behind its WATCH. */
type Watched = ReadonlyMap<string, string | null>;

export abstract class TransactingAsker extends KeyAsker {
  /** It waits for what it has watched. */
  protected isInTransaction = false;

  /** `key`: watched, half of the time, and written. */
  protected transact(key: string): void {
    if (this.random.chance(0.5)) return this.#finish(key, undefined);
    this.isInTransaction = true;
    const { session } = this.connection;
    const other = `${tagOf(key)}${this.random.pick(['s', 't', 'n'])}`;
    const keys = this.random.chance(0.5) && other !== key ? [key, other] : [key];
    let isFine = true;
    this.connection.ask(['WATCH', ...keys], (reply) => {
      if (!(reply instanceof ReplyError)) return;
      isFine = false;
      this.refused(reply, key);
    });
    const watched = new Map<string, string | null>();
    for (const [index, each] of keys.entries()) {
      const look = this.looking([each]);
      this.connection.ask(['GET', each], (reply) => {
        look(0, reply);
        if (this.connection.session !== session) return;
        if (reply instanceof ReplyError) isFine = false;
        else watched.set(each, textOf(reply));
        if (index < keys.length - 1) return;
        this.isInTransaction = false;
        if (isFine) this.#finish(key, watched);
        else this.#endWatch();
        void this.connection.flush();
      });
    }
  }

  #endWatch(): void {
    if (this.random.chance(0.7)) this.connection.ask(['UNWATCH'], () => {});
    else this.reset();
  }

  protected reset(): void {
    this.expect(['RESET'], 'RESET');
  }

  #finish(key: string, watched: Watched | undefined): void {
    const { ledger } = this.scene;
    const { name } = this.connection.session;
    this.expect(['MULTI'], 'OK');
    const writes: Write[] = [];
    let isLost = false;
    const queue = (words: readonly string[]): void =>
      this.connection.ask(words, (reply) => {
        if (reply instanceof ReplyError) isLost ||= reply.text.includes('nothing of it was carried out');
        else if (reply !== 'QUEUED')
          ledger.violation(`${shown(words)} of ${name} in MULTI was answered ${brief(reply)}`, [name, key]);
      });
    const write = (words: readonly string[], token: number, to: string): void => {
      writes.push(this.note(token, to, words));
      queue(words);
    };
    const token = ledger.newToken();
    const isReadFirst = this.random.chance(0.3);
    if (isReadFirst) queue(['GET', key]);
    write(this.perhapsScript(['SET', key, `v${token}`], false), token, key);
    const other = ledger.newToken();
    write(['APPEND', `${tagOf(key)}a`, `${other},`], other, `${tagOf(key)}a`);
    if (this.random.chance(0.1)) return this.#callOff(writes);
    const { told, kept } = this.connection;
    const isKept = kept.isAsked;
    this.connection.ask(['EXEC'], (reply) => {
      const why = reply === null ? new ReplyError('EXECABORT by the watch') : reply;
      if (reply === null && watched === undefined)
        ledger.violation(`EXEC of ${name} was answered null, without a watch`, [name, key]);
      ledger.count(reply === null ? 'EXEC null' : 'EXEC');
      ledger.told(writes, why, true);
      this.remember(told, writes);
      const done = writes.filter(({ timesCarriedOut }) => timesCarriedOut > 0);
      if (done.length > 0 && done.length < writes.length)
        ledger.violation(`half of a transaction of ${name} was carried out`, [name, key]);
      if (done.length > 0 && isLost)
        ledger.violation(`a transaction of ${name} was carried out that was said to be lost`, [name, key]);
      if (why instanceof ReplyError) return;
      if (isReadFirst) {
        const [first = null] = Array.isArray(why) ? (why as readonly Reply[]) : [];
        // What is read in a transaction is what was there right before.
        this.compareBefore(writes[0]!, textOf(first));
        if (isKept) kept.keep(key, textOf(first));
      }
      if (watched !== undefined) this.#compare(writes[0]!, watched);
    });
  }

  /** Nothing of it is carried out. */
  #callOff(writes: readonly Write[]): void {
    const isReset = this.random.chance(0.5);
    const expected = isReset ? 'RESET' : 'OK';
    this.connection.ask([isReset ? 'RESET' : 'DISCARD'], (reply) => {
      const { ledger } = this.scene;
      const { name } = this.connection.session;
      if (reply !== expected)
        ledger.violation(`${name} was answered ${brief(reply)}, not ${expected}`, [name]);
      ledger.told(writes, new ReplyError('EXECABORT by its client'), true);
      ledger.count(`transactions ended by ${expected}`);
    });
  }

  /** Nothing that was watched had changed. */
  #compare({ key, version, session }: Write, watched: Watched): void {
    const { ledger } = this.scene;
    if (version === undefined) return;
    const { at } = ledger.key(key).versions[version]!;
    for (const [each, value] of watched) {
      const before =
        each === key ? ledger.key(key).versions[version - 1]!.value : ledger.valueBefore(each, at);
      if (before === value) continue;
      ledger.violation(
        `EXEC of ${session.name} was carried out, though ${each} had changed from ${value} to ${before}`,
        [session.name, each],
      );
    }
  }
}

const tagOf = (key: string): string => key.slice(0, key.indexOf('}') + 1);
