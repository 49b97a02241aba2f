/**
 * What Redis' COMMAND says of a command, as far as a proxy needs it; read from a server's reply, and written as a line.
 *
 * A line: `name arity flags keys...`, for example `zunionstore -4 w 1:0.1.0 2:#0.1.1`. Flags: r(eads), w(rites),
 * b(locks), p(ublishes or subscribes), - (none). Keys: where the search begins (an argument's index, or
 * KEYWORD@from) and how they are found: `last.step.limit`, last counted from the begin or, if negative, from the end; or
 * `#count.first.step`, where an argument holds their number.
 */
export interface CommandSpec {
  readonly name: string;
  /** Negative: at least. */
  readonly arity: number;
  readonly reads: boolean;
  readonly writes: boolean;
  readonly blocks: boolean;
  readonly pubsub: boolean;
  readonly keys: readonly KeySpec[];
}

export interface KeySpec {
  readonly begin:
    | { readonly kind: 'index'; readonly index: number }
    | { readonly kind: 'keyword'; readonly keyword: string; readonly from: number };
  readonly find:
    | { readonly kind: 'range'; readonly last: number; readonly step: number; readonly limit: number }
    | { readonly kind: 'count'; readonly count: number; readonly first: number; readonly step: number };
}

export function parseSpecLine(line: string): CommandSpec {
  const [name = '', arity = '', flags = '', ...keys] = line.split(' ');
  return {
    name,
    arity: Number(arity),
    reads: flags.includes('r'),
    writes: flags.includes('w'),
    blocks: flags.includes('b'),
    pubsub: flags.includes('p'),
    keys: keys.map(parseKeySpec),
  };
}

function parseKeySpec(text: string): KeySpec {
  const [begin = '', find = ''] = text.split(':');
  const [keyword = '', from] = begin.split('@');
  const [a = 0, b = 0, c = 0] = find.replace('#', '').split('.').map(Number);
  return {
    begin:
      from === undefined
        ? { kind: 'index', index: Number(begin) }
        : { kind: 'keyword', keyword, from: Number(from) },
    find: find.startsWith('#')
      ? { kind: 'count', count: a, first: b, step: c }
      : { kind: 'range', last: a, step: b, limit: c },
  };
}

export function formatSpecLine(spec: CommandSpec): string {
  const flags =
    (spec.reads ? 'r' : '') + (spec.writes ? 'w' : '') + (spec.blocks ? 'b' : '') + (spec.pubsub ? 'p' : '');
  return [spec.name, spec.arity, flags === '' ? '-' : flags, ...spec.keys.map(formatKeySpec)].join(' ');
}

function formatKeySpec({ begin, find }: KeySpec): string {
  const from = begin.kind === 'index' ? String(begin.index) : `${begin.keyword}@${begin.from}`;
  return find.kind === 'range'
    ? `${from}:${find.last}.${find.step}.${find.limit}`
    : `${from}:#${find.count}.${find.first}.${find.step}`;
}

/** One entry of the reply to COMMAND, RESP2: maps come as flat arrays. Fields beyond the seventh came with Redis 7. */
export type CommandEntry = readonly [
  name: string,
  arity: number,
  flags: readonly string[],
  first: number,
  last: number,
  step: number,
  categories?: readonly string[],
  tips?: readonly string[],
  keySpecs?: readonly (readonly unknown[])[],
  subcommands?: readonly CommandEntry[],
];

/** Whether a server has said that: what speaks Redis' protocol need not describe its commands as Redis does. */
export function isCommandEntry(said: unknown): said is CommandEntry {
  if (!Array.isArray(said)) return false;
  const [name, arity, flags, first, last, step, , , keySpecs = [], subcommands = []] = said as unknown[];
  return (
    typeof name === 'string' &&
    [arity, first, last, step].every((number) => Number.isInteger(number)) &&
    Array.isArray(flags) &&
    Array.isArray(keySpecs) &&
    Array.isArray(subcommands) &&
    subcommands.every(isCommandEntry)
  );
}

/** A container (OBJECT, XGROUP…) takes keys and flags from its subcommands: those with keys agree on where they are. */
export function specOfEntry(entry: CommandEntry): CommandSpec {
  const [name, arity, flags, , , , , , , subcommands = []] = entry;
  const keyed = subcommands.map(specOfEntry).filter(({ keys }) => keys.length > 0);
  const own = keysOfEntry(entry);
  return {
    name: name.toLowerCase(),
    arity,
    reads: flags.includes('readonly') || (keyed.length > 0 && keyed.every(({ reads }) => reads)),
    writes: flags.includes('write') || keyed.some(({ writes }) => writes),
    blocks: flags.includes('blocking'),
    pubsub: flags.includes('pubsub'),
    keys: own.length > 0 ? own : (keyed[0]?.keys ?? []),
  };
}

function keysOfEntry([, , flags, first, last, step, , , keySpecs = []]: CommandEntry): readonly KeySpec[] {
  const stated = keySpecs.flatMap((spec) => keySpecOf(fieldsOf(spec)) ?? []);
  if (stated.length > 0 || first === 0 || flags.includes('movablekeys')) return stated;
  const find = { kind: 'range', last: last < 0 ? last : last - first, step: stepOf(step), limit: 0 } as const;
  return [{ begin: { kind: 'index', index: first }, find }];
}

/** With none, a search for keys would have no end. */
function stepOf(said: number): number {
  return Math.max(1, said);
}

function keySpecOf(fields: ReadonlyMap<string, unknown>): KeySpec | undefined {
  const begin = fieldsOf(fields.get('begin_search'));
  const find = fieldsOf(fields.get('find_keys'));
  const [where, how] = [fieldsOf(begin.get('spec')), fieldsOf(find.get('spec'))];
  const number = (of: ReadonlyMap<string, unknown>, name: string): number => Number(of.get(name));
  if (begin.get('type') === 'unknown' || find.get('type') === 'unknown') return undefined;
  return {
    begin:
      begin.get('type') === 'index'
        ? { kind: 'index', index: number(where, 'index') }
        : { kind: 'keyword', keyword: String(where.get('keyword')), from: number(where, 'startfrom') },
    find:
      find.get('type') === 'range'
        ? {
            kind: 'range',
            last: number(how, 'lastkey'),
            step: stepOf(number(how, 'keystep')),
            limit: number(how, 'limit'),
          }
        : {
            kind: 'count',
            count: number(how, 'keynumidx'),
            first: number(how, 'firstkey'),
            step: stepOf(number(how, 'keystep')),
          },
  };
}

function fieldsOf(flat: unknown): ReadonlyMap<string, unknown> {
  const list: readonly unknown[] = Array.isArray(flat) ? flat : [];
  return new Map(
    Array.from({ length: Math.floor(list.length / 2) }, (_, index) => [
      String(list[2 * index]),
      list[2 * index + 1],
    ]),
  );
}
