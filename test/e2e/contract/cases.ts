/**
 * The generated cases of the contract: every command, with every policy, kind of route and protocol; and as many more as
 * are asked for, odd keys, other types and spellings among them, drawn from a seed.
 */
import { createHash } from 'node:crypto';

import type { Protocol, ReadPolicy } from '../../../src/api/objects.ts';
import { commandByName, type Command } from '../../../src/redis/command-table.ts';
import { POLICIES } from '../objects.ts';
import { randomOf } from '../random.ts';
import { KEYED_FORMS, KEYLESS_FORMS, SCRIPT, SEEDS, type Form } from './forms.ts';

export interface Setting {
  readonly policy: ReadPolicy;
  readonly protocol: Protocol;
}

/** A listener each. */
export const SETTINGS: readonly Setting[] = POLICIES.flatMap((policy) =>
  (['RESP2', 'RESP3'] as const).map((protocol) => ({ policy, protocol })),
);

export interface RouteKind {
  readonly kind: 'prefix' | 'removed prefix' | 'catch-all' | 'mirror' | 'plain servers';
  readonly prefix: string;
}

export const ROUTES: readonly RouteKind[] = [
  { kind: 'prefix', prefix: 'p:' },
  { kind: 'removed prefix', prefix: 'r:' },
  { kind: 'catch-all', prefix: '' },
  { kind: 'mirror', prefix: 'm:' },
  { kind: 'plain servers', prefix: 's:' },
];

export interface Case {
  /** In braces it stands in every key, so that whatever reaches a server says whose it is. */
  readonly id: string;
  /** Index of its listener. */
  readonly setting: number;
  readonly route: RouteKind;
  readonly command: Command;
  readonly words: readonly string[];
  /** Which words are keys; none where no key places it. */
  readonly keys: readonly string[];
  /** What is to be there before, with the keys as Redis has them. */
  readonly seed: readonly (readonly string[])[];
  readonly isOdd: boolean;
}

export function generateCases(seed: number, more: number): readonly Case[] {
  let count = 0;
  const choose = randomOf(seed);
  const nextId = (): string => `c${count++}`;
  const cases: Case[] = [];
  for (const setting of SETTINGS.keys()) {
    for (const route of ROUTES) {
      for (const form of KEYED_FORMS) cases.push(caseOf(nextId(), setting, route, form));
      for (const name of SPLIT) cases.push(splitCase(nextId(), setting, route, name));
    }
    for (const form of KEYLESS_FORMS) cases.push(caseOf(nextId(), setting, ROUTES[2]!, form));
  }
  const plain = KEYED_FORMS.filter(({ name }) => !HOLDING.has(name));
  for (let index = 0; index < more; index++) {
    const form = plain[choose(plain.length)]!;
    cases.push(oddCase(nextId(), choose(SETTINGS.length), ROUTES[choose(ROUTES.length)]!, form, choose));
  }
  return cases;
}

/** They may wait, or change what the connection is for. */
const HOLDING: ReadonlySet<string> = new Set(
  (
    'blmove blmpop blpop brpop brpoplpush bzmpop bzpopmax bzpopmin xread xreadgroup watch ssubscribe ' +
    'sunsubscribe'
  ).split(' '),
);

const SPLIT = ['mget', 'mset', 'del', 'unlink', 'exists', 'touch'];

function commandOf(name: string): Command {
  const command = commandByName(name);
  if (command === undefined) throw new Error(`the command table has no ${name}`);
  return command;
}

const SHA = createHash('sha1').update(SCRIPT).digest('hex');

function caseOf(id: string, setting: number, route: RouteKind, form: Form): Case {
  const named: Readonly<Record<string, string>> = {
    K: `${route.prefix}{${id}}a`,
    L: `${route.prefix}{${id}}b`,
    M: `${route.prefix}{${id}}c`,
  };
  const others: Readonly<Record<string, string>> = { ID: `{${id}}`, 'ID*': `{${id}}*`, SHA };
  const keys = form.args.flatMap((word) => named[word] ?? []);
  const seeded = keys.length === 0 ? [] : ['K', 'L'].map((word) => named[word]!);
  return {
    id,
    setting,
    route,
    command: commandOf(form.name),
    words: [form.name, ...form.args.map((word) => named[word] ?? others[word] ?? word)],
    keys,
    seed: seeded.flatMap((key) => seedOf(form.seed, route, key)),
    isOdd: false,
  };
}

function seedOf(kind: string, route: RouteKind, key: string): readonly (readonly string[])[] {
  return SEEDS[kind]?.(storedKey(route, key)) ?? [];
}

export function storedKey(route: RouteKind, key: string): string {
  return route.kind === 'removed prefix' ? key.slice(route.prefix.length) : key;
}

/** Keys of several slots, one of another type. */
function splitCase(id: string, setting: number, route: RouteKind, name: string): Case {
  const keys = Array.from({ length: 4 }, (_, index) => `${route.prefix}${index}{}{${id}}`);
  return {
    id,
    setting,
    route,
    command: commandOf(name),
    words: [name, ...keys.flatMap((key) => (name === 'mset' ? [key, `of ${key}`] : [key]))],
    keys,
    seed: keys.map((key, index) =>
      index === 0 ? ['RPUSH', storedKey(route, key), 'x'] : ['SET', storedKey(route, key), `old ${key}`],
    ),
    isOdd: false,
  };
}

/** Something about it is unusual: the key's bytes, its type, the command's spelling. */
function oddCase(
  id: string,
  setting: number,
  route: RouteKind,
  form: Form,
  choose: (below: number) => number,
): Case {
  const bytes = (): string =>
    Array.from({ length: choose(12) }, () => String.fromCharCode(choose(4) === 0 ? 0x7b : choose(256))).join(
      '',
    );
  // Whatever is before it, the case's word stays in one piece; all of the command's keys have the same tag or bytes.
  const before = choose(2) === 0 ? '' : bytes();
  const after = choose(3) === 0 ? bytes() : '';
  const plain = caseOf(id, setting, route, form);
  const oneKey = plain.keys.length === 1;
  const changed = (word: string): string =>
    plain.keys.includes(word) && oneKey
      ? `${route.prefix}${before}${word.slice(route.prefix.length)}${after}`
      : word;
  const kinds = Object.keys(SEEDS);
  const seedKind = choose(2) === 0 ? form.seed : kinds[choose(kinds.length)]!;
  const keys = plain.keys.map(changed);
  const spelled = form.name.replaceAll(/[a-z]/g, (char) => (choose(2) === 0 ? char.toUpperCase() : char));
  return {
    ...plain,
    words: [spelled, ...plain.words.slice(1).map(changed)],
    keys,
    seed: keys.slice(0, 1).flatMap((key) => seedOf(seedKind, route, key)),
    isOdd: true,
  };
}
