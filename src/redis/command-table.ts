/**
 * The command table: from a command's name, as bytes in any case, to what a proxy does with it.
 *
 * Tight: looked up once per command, without making a string (`npm run bench -- proxy`).
 */
import { COMMAND_LINES } from './command-data.ts';
import { parseSpecLine, type CommandSpec, type KeySpec } from './command-spec.ts';

/** How a command is carried out; small integers, for one switch on the hot path. */
export const KIND = {
  /** Sent whole to the node of its first key, which stands at a fixed place. */
  keyed: 0,
  /** Sent in parts, one per slot or server, and the replies put together. */
  split: 1,
  /** Keyed, but where the keys are depends on the arguments. */
  movable: 2,
  /** Answered here. */
  local: 3,
  /** Sent to any primary of the catch-all's upstream. */
  keyless: 4,
  /** Sent to all primaries of the catch-all's upstream, and the replies put together. */
  everywhere: 5,
  scan: 6,
  transaction: 7,
  /** Holds its connection until something comes: on a connection of its own. */
  blocking: 8,
  pubsub: 9,
  /** Never sent: it would hurt a server that others share. */
  refused: 10,
} as const;

export type Kind = (typeof KIND)[keyof typeof KIND];

/** As what commands are counted: by kind, and those that the table lacks apart. */
export const COUNTED_AS = [...(Object.keys(KIND) as (keyof typeof KIND)[]), 'foreign'] as const;

export interface Command {
  readonly name: string;
  /** Its place among all of the table; of what the table lacks, the place behind the last. */
  readonly index: number;
  readonly kind: Kind;
  readonly arity: number;
  /** May be sent to replicas. */
  readonly isRead: boolean;
  /** Twice its place in `COUNTED_AS`, and 1 more where it reads: what goes with each request of it. */
  readonly label: number;
  /** Which argument is the first key, where that is fixed; 0: none, or it depends. */
  readonly firstKey: number;
  /** Whether the first key is its only one. */
  readonly hasOneKey: boolean;
  readonly keys: readonly KeySpec[];
}

const KINDS: Readonly<Partial<Record<keyof typeof KIND, string>>> = {
  split: 'mget mset del unlink exists touch',
  local: 'ping echo quit reset hello auth select client command readonly readwrite asking cluster',
  everywhere: 'dbsize flushall flushdb keys randomkey script config slowlog function pubsub',
  scan: 'scan',
  // Its channel is no key.
  movable: 'spublish',
  transaction: 'multi exec discard watch unwatch',
  refused:
    'shutdown debug replicaof slaveof failover migrate monitor sync psync replconf bgsave save bgrewriteaof ' +
    'move swapdb module restore-asking pfdebug pfselftest acl latency commandlog clusterscan',
};

/**
 * Flagged as reading by Redis, sent to primaries nevertheless, as Envoy does: TOUCH is for the sake of the server
 * that evicts.
 */
const WRITES_NEVERTHELESS = new Set(['touch']);

/** What Redis' COMMAND does not tell of keys. */
const MORE_KEYS: ReadonlyMap<string, readonly KeySpec[]> = new Map([
  ['sort', parseSpecLine('sort -2 w STORE@2:0.1.0').keys],
]);

const KIND_BY_NAME = new Map(
  Object.entries(KINDS).flatMap(([kind, names]) =>
    names.split(' ').map((name) => [name, KIND[kind as keyof typeof KIND]] as const),
  ),
);

const LINES = COMMAND_LINES.trim().split('\n');

/** How a command that COMMAND describes is carried out. */
export function commandOf(spec: CommandSpec, index: number): Command {
  const { name, arity } = spec;
  const keys = [...spec.keys, ...(MORE_KEYS.get(name) ?? [])];
  const [first] = keys;
  const firstKey = first?.begin.kind === 'index' && first.find.kind === 'range' ? first.begin.index : 0;
  const kind = KIND_BY_NAME.get(name) ?? kindOf(spec, firstKey);
  const isRead = spec.reads && !WRITES_NEVERTHELESS.has(name);
  const countedAs = index < LINES.length ? kind : COUNTED_AS.indexOf('foreign');
  return {
    name,
    index,
    arity,
    kind,
    isRead,
    label: 2 * countedAs + Number(isRead),
    firstKey,
    hasOneKey: keys.length === 1 && first?.find.kind === 'range' && first.find.last === 0,
    keys,
  };
}

function kindOf({ blocks, pubsub, keys, name }: CommandSpec, firstKey: number): Kind {
  if (blocks) return KIND.blocking;
  // PUBLISH and SPUBLISH are answered at once like any other.
  if (pubsub && !name.endsWith('publish')) return KIND.pubsub;
  if (firstKey > 0) return KIND.keyed;
  return keys.length > 0 ? KIND.movable : KIND.keyless;
}

const COMMANDS: readonly Command[] = LINES.map((line, index) => commandOf(parseSpecLine(line), index));

const BY_NAME = new Map(COMMANDS.map((command) => [command.name, command]));

export function commandByName(name: string): Command | undefined {
  return BY_NAME.get(name.toLowerCase());
}

export function allCommands(): readonly Command[] {
  return COMMANDS;
}

/** PUBLISH and PUBSUB: plain servers know nothing of each other's messages. */
export function isOfMessages({ name }: Command): boolean {
  return name.startsWith('pub');
}

/** `count`: of all arguments, the name included. */
export function isCountRight({ arity }: Pick<Command, 'arity'>, count: number): boolean {
  return arity < 0 ? count >= -arity : count === arity;
}

/** Open addressing over a hash of length, first, middle and last byte; three quarters stay empty. */
const PLACES = 2_048;
const NAMES: (Uint8Array | undefined)[] = Array.from({ length: PLACES });
const BY_PLACE: (Command | undefined)[] = Array.from({ length: PLACES });

for (const command of COMMANDS) {
  const name = Buffer.from(command.name);
  let place = placeOf(name, 0, name.length);
  while (NAMES[place] !== undefined) place = (place + 1) & (PLACES - 1);
  // Folded like what is looked up, which changes `_` too.
  NAMES[place] = name.map((byte) => byte | 0x20);
  BY_PLACE[place] = command;
}

function placeOf(bytes: Uint8Array, start: number, end: number): number {
  const length = end - start;
  const first = bytes[start]! | 0x20;
  const middle = bytes[start + (length >> 1)]! | 0x20;
  const last = bytes[end - 1]! | 0x20;
  return (length * 311 + first * 37 + middle * 1_021 + last * 7) & (PLACES - 1);
}

/** undefined: not in the table. */
export function findCommand(bytes: Uint8Array, start: number, end: number): Command | undefined {
  if (end === start) return undefined;
  for (let place = placeOf(bytes, start, end); ; place = (place + 1) & (PLACES - 1)) {
    const name = NAMES[place];
    if (name === undefined) return undefined;
    if (name.length !== end - start) continue;
    let at = 0;
    // Folding also takes "@" for "`" and the like; no command's name has such a byte.
    while (at < name.length && (bytes[start + at]! | 0x20) === name[at]) at += 1;
    if (at === name.length) return BY_PLACE[place];
  }
}
