/**
 * Somebody who reads and writes keys, some of its own and some that all share, and compares with the ledger what it is told.
 */
import { Asker } from './asker.ts';
import { brief, type Scene } from './client-connection.ts';
import type { Write } from './ledger.ts';
import type { Random } from './random.ts';
import { ReplyError, type Reply } from './replies.ts';
import { asScript, type Form } from './scripts.ts';
import { shown } from './state.ts';

export abstract class KeyAsker extends Asker {
  readonly tags: readonly string[];

  constructor(scene: Scene, random: Random, name: string) {
    super(scene, random, name);
    this.tags = Array.from({ length: scene.tags }, (_, index) => `{${name}.${index}}`);
  }

  protected key(kind: string): string {
    return `${this.random.pick(this.tags)!}${kind}`;
  }

  protected expect(words: readonly string[], expected: string): void {
    const { name } = this.connection.session;
    this.connection.ask(words, (reply) => {
      if (reply !== expected)
        this.scene.ledger.violation(`${shown(words)} of ${name} was answered ${brief(reply)}`, [name]);
    });
  }

  /** As it is, or as a script. */
  protected perhapsScript(words: readonly string[], mayBeUnknown = true): readonly string[] {
    if (!this.scene.mayScript || this.random.chance(0.6)) return words;
    const forms: readonly Form[] = ['EVAL', 'FCALL', 'EVALSHA', 'EVALSHA'];
    return asScript(words, this.random.pick(mayBeUnknown ? forms : forms.slice(0, 2))!);
  }

  /** What a read may see at least, once everything that its session asked before it is answered. */
  protected looking(keys: readonly string[]): (index: number, reply: Reply) => void {
    const { session } = this.connection;
    const order = this.connection.order + 1;
    const sentAt = performance.now();
    const { ledger } = this.scene;
    const acknowledged = keys.map((key) => ledger.key(key).acknowledged);
    const { told, kept } = this.connection;
    const isKept = kept.isAsked;
    return (index, reply) => {
      const key = keys[index]!;
      if (reply instanceof ReplyError) return this.refused(reply, key);
      const from = Math.max(acknowledged[index]!, told.get(key) ?? 0);
      const value = textOf(reply);
      if (isKept) kept.keep(key, value);
      const isStrict = this.scene.masterSince() < sentAt;
      // One that was refused or lost is tried again, and may see what was asked behind it.
      const before = this.scene.isOrderly ? order : Infinity;
      ledger.seen(key, value, isStrict ? { session, order: before, from } : { session, from: 0 });
    };
  }

  protected refused({ text }: ReplyError, key: string): void {
    this.scene.ledger.count(`read: ${text.split(' ', 2).join(' ').replace(/\d+/g, 'N')}`);
    if (
      !/^(?:no upstream host|upstream failure|ERR max number of connections to Redis|MOVED|ASK|TRYAGAIN|CLUSTERDOWN|LOADING|MASTERDOWN|BUSY|UNBLOCKED|READONLY|NOSCRIPT|Fault Injected: Error$)/.test(
        text,
      )
    )
      this.scene.ledger.violation(`unexpected error to a read of ${key}: ${text}`, [key]);
  }

  protected note(token: number, key: string, words: readonly string[]): Write {
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

  protected write(words: readonly string[], writes: readonly Write[], isOne: boolean): void {
    const { told } = this.connection;
    this.connection.ask(words, (reply) => {
      this.scene.ledger.told(writes, reply, isOne);
      this.remember(told, writes);
    });
  }

  /** SET with GET: what was there right before. */
  protected exchange(write: Write, words: readonly string[]): void {
    const { told } = this.connection;
    this.connection.ask(words, (reply) => {
      this.scene.ledger.told([write], reply, true);
      this.remember(told, [write]);
      if (!(reply instanceof ReplyError)) this.compareBefore(write, textOf(reply));
    });
  }

  protected compareBefore({ key, version, words, session }: Write, found: string | null): void {
    if (version === undefined) return;
    const { ledger } = this.scene;
    const before = ledger.key(key).versions[version - 1]!.value;
    if (found === before) return;
    const said = `${words} of ${session.name} has found ${brief(found)}, not ${brief(before)}`;
    ledger.violation(said, [key, session.name]);
  }

  protected remember(told: Map<string, number>, writes: readonly Write[]): void {
    for (const { told: outcome, key, version } of writes)
      if (outcome === 'done' && version !== undefined) told.set(key, Math.max(told.get(key) ?? 0, version));
  }
}

export function textOf(reply: Reply): string | null {
  if (reply === null) return null;
  return typeof reply === 'string' ? reply : JSON.stringify(reply);
}
