/**
 * Somebody who publishes, and subscribes to channels over the connection on which it asks for everything else, as RESP3 has it.
 */
import { brief, type ClientConnection } from './client-connection.ts';
import { ReplyError, type Reply } from './replies.ts';
import { CHANNELS, SHARD_CHANNELS } from './subscriber.ts';
import { TransactingAsker } from './transacting-asker.ts';

export abstract class SubscribingAsker extends TransactingAsker {
  /** Alone, or in a transaction. */
  protected publish(): void {
    const { ledger, published, unsure } = this.scene;
    const isSharded = this.random.chance(0.5);
    const channel = this.random.pick<string>(isSharded ? SHARD_CHANNELS : CHANNELS)!;
    const token = String(ledger.newToken());
    const sentAt = performance.now();
    const words = [isSharded ? 'SPUBLISH' : 'PUBLISH', channel, `${token} ${this.connection.session.name}`];
    const told = (reply: Reply): void => {
      if (reply instanceof ReplyError) unsure.add(token);
      else published.push({ channel, token, sentAt });
    };
    if (this.scene.mayTransact && this.random.chance(0.2)) return this.#publishTogether(words, told);
    this.connection.ask(
      words,
      (reply) => {
        if (reply instanceof ReplyError) this.refused(reply, channel);
        told(reply);
      },
      true,
    );
  }

  #publishTogether(words: readonly string[], told: (reply: Reply) => void): void {
    const { ledger } = this.scene;
    const { name } = this.connection.session;
    this.expect(['MULTI'], 'OK');
    this.connection.ask(words, () => {});
    const executed = (reply: Reply): void => {
      told(reply);
      ledger.count('published in a transaction');
      const counts = Array.isArray(reply) ? (reply as readonly Reply[]) : [];
      if (!(reply instanceof ReplyError) && typeof counts[0] !== 'number')
        ledger.violation(`EXEC of ${words.join(' ')} was answered ${brief(reply)}`, [name]);
    };
    this.connection.ask(['EXEC'], executed, true);
  }

  /** In RESP2 nothing else may be asked. */
  protected subscribe(): void {
    const { connection } = this;
    if (connection.protocolAsked !== 3) return;
    const isSharded = this.random.chance(0.5);
    const channel = this.random.pick<string>(isSharded ? SHARD_CHANNELS : CHANNELS)!;
    const isLeaving = this.random.chance(0.4);
    const kind = `${isSharded ? 's' : ''}${isLeaving ? 'un' : ''}subscribe`;
    connection.ask([kind.toUpperCase(), channel], (reply) =>
      this.#confirmed(connection, kind, channel, reply),
    );
  }

  #confirmed(connection: ClientConnection, kind: string, channel: string, reply: Reply): void {
    if (reply instanceof ReplyError) return this.refused(reply, channel);
    const { ledger } = this.scene;
    const { name } = connection.session;
    const { subscribed } = connection;
    if (kind.includes('un')) subscribed.delete(channel);
    else subscribed.add(channel);
    const isSharded = (each: string): boolean => each.startsWith('{');
    const count = [...subscribed].filter((each) => isSharded(each) === isSharded(channel)).length;
    ledger.count('confirmations to clients');
    if (JSON.stringify(reply) !== JSON.stringify([kind, channel, count]))
      ledger.violation(`${kind} ${channel} of ${name} was answered ${brief(reply)}, not with ${count}`, [
        name,
      ]);
  }
}
