/**
 * What was asked, carried out and answered, and what of that must not be.
 */
import { isRead, type Client, type Command, type Effect, effectOf } from './command.ts';

const UNKNOWN = '-upstream failure\r\n';

interface CarriedOut {
  readonly at: number;
  readonly command: Command;
  readonly effect: Effect;
  /** Who has other keys than others. */
  readonly place: number;
}

export class Ledger {
  readonly commands: Command[] = [];
  readonly #carriedOut: CarriedOut[] = [];

  asked(client: Client, words: readonly string[]): Command {
    const command = {
      number: this.commands.length + 1,
      client,
      words,
      replies: [],
      answeredAt: Infinity,
      sendings: 0,
      isTriedAgain: false,
    };
    this.commands.push(command);
    return command;
  }

  answered(command: Command, reply: string): void {
    command.replies.push(reply);
    command.answeredAt = this.#carriedOut.length;
  }

  /** Returns as which one. */
  carriedOut(command: Command, effect: Effect, place: number): number {
    this.#carriedOut.push({ at: this.#carriedOut.length + 1, command, effect, place });
    return this.#carriedOut.length;
  }

  get unanswered(): readonly Command[] {
    return this.commands.filter(({ replies }) => replies.length === 0);
  }

  /** Of all that is answered. */
  violations(): string[] {
    return [...this.commands.flatMap((command) => this.#fateOf(command)), ...this.#outOfOrder()];
  }

  #fateOf(command: Command): string[] {
    const [reply = '', ...more] = command.replies;
    const told = `${nameOf(command)} was told ${JSON.stringify(reply)}`;
    if (more.length > 0) return [`${told}, and ${JSON.stringify(more)}`];
    const changed = [...effectOf(command.words)].filter(([, isChanged]) => isChanged).map(([key]) => key);
    const counts = changed.map(
      (key) => this.#carriedOut.filter((each) => each.command === command && each.effect.has(key)).length,
    );
    const isError = reply.startsWith('-');
    if (counts.some((count) => count > 1)) return [`${told}, and carried out more than once`];
    if (!isError && counts.some((count) => count === 0)) return [`${told}, and not carried out`];
    // In parts: one that was refused is enough.
    const isSplit = this.#carriedOut.some(
      (each) => each.command === command && each.effect.size < counts.length,
    );
    const isDone = isSplit ? counts.every((count) => count > 0) : counts.some((count) => count > 0);
    return isError && reply !== UNKNOWN && isDone ? [`${told}, and carried out`] : [];
  }

  #outOfOrder(): string[] {
    const found: string[] = [];
    const counting = this.#carriedOut.filter(doesCount);
    for (const [index, later] of counting.entries()) {
      if (mayBeLate(later)) continue;
      for (const earlier of counting.slice(0, index)) {
        if (earlier.command.client !== later.command.client || earlier.command.number <= later.command.number)
          continue;
        if (earlier.place !== later.place) continue;
        for (const [key, isChanged] of later.effect) {
          const isOtherChanged = earlier.effect.get(key);
          if (isOtherChanged === undefined || !(isChanged || isOtherChanged)) continue;
          const [one, other] = [earlier, later].map((each) => `${nameOf(each.command)} (${each.at})`);
          found.push(`of ${key}, ${other} was carried out behind ${one}`);
        }
      }
    }
    return found;
  }
}

/** Of reads only what their client got. */
function doesCount({ at, command }: CarriedOut): boolean {
  if (!isRead(command.words)) return true;
  const [reply = ''] = command.replies;
  return [...reply.matchAll(/\$\d+\r\n(\d+)\r\n/g)].some(([, number]) => Number(number) === at);
}

/** A read that was refused or lost, and a write of which its client was told by then that nobody knows. */
function mayBeLate({ at, command }: CarriedOut): boolean {
  const [reply = ''] = command.replies;
  return isRead(command.words) ? command.isTriedAgain : reply === UNKNOWN && at > command.answeredAt;
}

export function nameOf({ number, client, words }: Command): string {
  return `#${number} ${shown(words)} of client ${client.name}`;
}

export function shown(words: readonly string[]): string {
  return words.map((word) => word.replace(/\.+$/, '…')).join(' ');
}
