/**
 * Commands of the model: what they read and change, and what became of them.
 */
import type { ReplySink } from '../../../src/proxy/wire/request.ts';
import type { Random } from '../chaos/random.ts';

export const KEYS = ['a', 'b', 'k'] as const;

export interface Client {
  readonly name: number;
  isGone: boolean;
  readonly sink: ReplySink;
}

export interface Command {
  /** In the order asked, of all clients. */
  readonly number: number;
  readonly client: Client;
  readonly words: readonly string[];
  readonly replies: string[];
  /** How much had been carried out by then. */
  answeredAt: number;
  /** How often it, or a part of it, was sent. */
  sendings: number;
  /** Once is not enough to be redirected. */
  isTriedAgain: boolean;
}

/** By key: whether it is changed. */
export type Effect = ReadonlyMap<string, boolean>;

const READS = new Set(['get', 'mget']);

export function isRead([name = '']: readonly string[]): boolean {
  return READS.has(name.toLowerCase());
}

export function effectOf(words: readonly string[]): Effect {
  const [name = '', ...rest] = words;
  const first = rest[0]!;
  switch (name.toLowerCase()) {
    case 'set':
    case 'append':
      return new Map([[first, true]]);
    case 'mset':
      return new Map(rest.filter((_, index) => index % 2 === 0).map((key) => [key, true]));
    case 'del':
      return new Map(rest.map((key) => [key, true]));
    // The script, and how many keys.
    case 'eval':
      return new Map(rest.slice(2).map((key) => [key, true]));
    case 'sunionstore':
      return new Map([...rest.slice(1).map((key) => [key, false] as const), [first, true]]);
    default:
      return new Map(rest.map((key) => [key, false]));
  }
}

/** In another order they would have other results. */
export function doConflict(one: Effect, other: Effect): boolean {
  return [...one].some(([key, isChanged]) => {
    const isOtherChanged = other.get(key);
    return isOtherChanged !== undefined && (isChanged || isOtherChanged);
  });
}

export const COMMANDS = ['GET', 'MGET', 'MSET', 'DEL', 'SUNIONSTORE', 'APPEND', 'EVAL', 'SET'] as const;

/** One of these commands. */
export function anyWords(random: Random, names: readonly string[], number: number): readonly string[] {
  const [first, second, third] = shuffled(random);
  // Blocks are full soon, and used again.
  const value = `${number}`.padEnd(random.chance(0.9) ? 0 : random.below(9_000), '.');
  const name = random.pick(names)!;
  switch (name) {
    case 'GET':
      return [name, first];
    case 'MSET':
      return [name, first, value, second, value];
    case 'SUNIONSTORE':
      return [name, first, second, third];
    case 'SET':
    case 'APPEND':
      return [name, first, value];
    case 'EVAL':
      return [name, 'a script', '2', first, second];
    default:
      return [name, first, second];
  }
}

function shuffled(random: Random): readonly [string, string, string] {
  const from = random.below(3);
  const step = random.chance(0.5) ? 1 : 2;
  return [KEYS[from]!, KEYS[(from + step) % 3]!, KEYS[(from + 2 * step) % 3]!];
}

/** As its node says it that has carried it out as the `at`th: what is read is that number. */
export function replyOf(words: readonly string[], at: number): string {
  const value = `$${String(at).length}\r\n${at}\r\n`;
  switch (words[0]!.toLowerCase()) {
    case 'get':
      return value;
    case 'mget':
      return `*${words.length - 1}\r\n${value.repeat(words.length - 1)}`;
    case 'set':
    case 'mset':
      return '+OK\r\n';
    default:
      return `:${words.length - 1}\r\n`;
  }
}
