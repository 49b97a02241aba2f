/** One case: what the matcher said, against what was seen behind the proxy and behind Envoy. */
import { KIND } from '../../../src/redis/command-table.ts';
import type { Case } from './cases.ts';
import {
  MAY_BE_LACKING,
  OTHER_REPLIES,
  OWN_REPLIES,
  UNKNOWN_TO_ENVOY,
  asFromEnvoy,
  exceptionOf,
  isNeverMirrored,
  normalised,
  primariesFor,
} from './exceptions.ts';
import type { Match } from './matcher.ts';
import type { Outcome } from './perform.ts';
import type { Arrival } from './relay.ts';

export interface Seen {
  readonly matches: readonly Match[];
  readonly envoy: Outcome;
  readonly proxy: Outcome;
  /** What the server itself answers; undefined where there is not one server to ask. */
  readonly server: string | undefined;
}

/** How a difference begins that concerns only where the proxy sent it. */
export const PASSED_BY = 'the proxy:';

/** Texts; none: all is as it should be. */
export function compare(each: Case, seen: Seen): readonly string[] {
  const { command } = each;
  if (each.keys.length === 0) return compareKeyless(each, seen);
  const found: string[] = [];
  const differ = (what: string, ...values: unknown[]): void => {
    found.push(`${what}: ${values.map((value) => JSON.stringify(value)).join(' / ')}`);
  };
  const reply = (text: string): string => normalised(command, text);

  const ours = differenceOfArrivals(
    each,
    seen.matches,
    MAY_BE_LACKING.has(command.name) ? onceEach(seen.proxy.arrivals) : seen.proxy.arrivals,
    isNeverMirrored(command) ? ['mirror'] : [],
  );
  if (ours !== undefined) found.push(`${PASSED_BY} ${JSON.stringify(ours)}`);
  if (seen.server !== undefined && reply(seen.proxy.reply) !== reply(seen.server)) {
    differ('reply of proxy and server', seen.proxy.reply, seen.server);
  }

  if (!UNKNOWN_TO_ENVOY.has(command.name)) return [...found, ...compareWithEnvoy(each, seen)];
  if (!isUnknown(seen.envoy)) differ('Envoy knows it', seen.envoy);
  return found;
}

/** Of a command with a key that Envoy knows. `exception`: undefined where there is to be none. */
export function compareWithEnvoy(
  each: Case,
  { matches, envoy, proxy }: Seen,
  exception = exceptionOf(each),
): readonly string[] {
  const ignores = exception?.ignores ?? [];
  const arrivals = exception?.isRedirected === true ? lastOf(envoy.arrivals) : envoy.arrivals;
  const found: string[] = [];
  const difference = differenceOfArrivals(each, matches, arrivals, ignores);
  if (difference !== undefined) found.push(`Envoy: ${JSON.stringify(difference)}`);
  const [ours, theirs] = [asFromEnvoy(proxy.reply), envoy.reply].map((text) =>
    normalised(each.command, text),
  );
  if (!ignores.includes('reply') && ours !== theirs) {
    found.push(`reply of proxy and Envoy: ${JSON.stringify([ours, theirs])}`);
  }
  return found;
}

function isUnknown({ reply, arrivals }: Outcome): boolean {
  return reply.startsWith('-ERR unknown command') && arrivals.length === 0;
}

/** What a connection begins with looks the same when a client says it. */
const OF_CONNECTIONS: ReadonlySet<string> = new Set(['hello', 'readonly']);
const PRIMARIES: readonly string[] = ['a0 primary', 'a1 primary'];

function compareKeyless({ command }: Case, { envoy, proxy, server }: Seen): readonly string[] {
  const found: string[] = [];
  const { name, kind } = command;
  const nodes = proxy.arrivals.map(({ node }) => node).toSorted();
  const expected = primariesFor(command, PRIMARIES.length);
  const isRight =
    nodes.length === expected &&
    new Set(nodes).size === expected &&
    nodes.every((node) => PRIMARIES.includes(node));
  if (!isRight && !OF_CONNECTIONS.has(name)) found.push(`${PASSED_BY} to ${JSON.stringify(nodes)}`);
  if (kind === KIND.refused) {
    if (!proxy.reply.includes('is not carried out by this proxy: '))
      found.push(`carried out: ${proxy.reply}`);
  } else if (!OWN_REPLIES.has(name) && server !== undefined) {
    if (normalised(command, proxy.reply) !== normalised(command, server)) {
      found.push(`reply of proxy and server: ${JSON.stringify([proxy.reply, server])}`);
    }
  }
  if (UNKNOWN_TO_ENVOY.has(name)) {
    if (!isUnknown(envoy)) found.push(`Envoy knows it: ${JSON.stringify(envoy)}`);
  } else if (!OTHER_REPLIES.has(name)) {
    if (normalised(command, asFromEnvoy(proxy.reply)) !== normalised(command, envoy.reply)) {
      found.push(`reply of proxy and Envoy: ${JSON.stringify([proxy.reply, envoy.reply])}`);
    }
  }
  return found;
}

/** Of those behind a mirror all, else the last. */
function lastOf(arrivals: readonly Arrival[]): readonly Arrival[] {
  const mirrored = arrivals.filter(({ node }) => node === 'mirror');
  return [...mirrored, ...arrivals.filter(({ node }) => node !== 'mirror').slice(-1)];
}

/** Without what a primary was asked behind another node. */
function onceEach(arrivals: readonly Arrival[]): readonly Arrival[] {
  const isOfMirror = ({ node }: Arrival): boolean => node === 'mirror';
  return arrivals.filter((each, index) => {
    const isAgain = arrivals.slice(0, index).some((one) => !isOfMirror(one) && one.bytes === each.bytes);
    return isOfMirror(each) || !isAgain || !each.node.endsWith(' primary');
  });
}

function differenceOfArrivals(
  { command }: Case,
  matches: readonly Match[],
  arrivals: readonly Arrival[],
  ignores: readonly string[],
): unknown {
  const isSplit = command.kind === KIND.split;
  const parts = isSplit ? arrivals.flatMap(keyByKey) : arrivals;
  const left = parts.filter(({ node }) => node !== 'mirror' || !ignores.includes('mirror'));
  const take = (nodes: readonly string[], bytes: string): boolean => {
    const index = left.findIndex(
      (arrival) =>
        (nodes.includes(arrival.node) || (ignores.includes('node') && arrival.node !== 'mirror')) &&
        (arrival.bytes === bytes || ignores.includes('bytes')),
    );
    if (index >= 0) left.splice(index, 1);
    return index >= 0;
  };
  const missing = matches.flatMap(({ nodes, bytes, isMirrored }) => {
    const part = isSplit ? (keyByKey({ node: '', bytes })[0]?.bytes ?? '') : bytes;
    const isThere = take(nodes, part);
    const isCopied = !isMirrored || ignores.includes('mirror') || take(['mirror'], part);
    return isThere && isCopied ? [] : [{ nodes, bytes: part, isThere, isCopied }];
  });
  return missing.length === 0 && left.length === 0 ? undefined : { missing, left };
}

/** Parts may have several keys each, and other names (Envoy's MGET is many `get`): what counts is where each key came. */
function keyByKey({ node, bytes }: Arrival): readonly Arrival[] {
  const words = wordsOf(bytes);
  const name = (words[0] ?? '').toLowerCase().replace(/^m(?=get|set)/, '');
  const step = name === 'set' ? 2 : 1;
  return Array.from({ length: (words.length - 1) / step }, (_, index) => ({
    node,
    bytes: [name, ...words.slice(1 + index * step, 1 + (index + 1) * step)].join(' '),
  }));
}

function wordsOf(bytes: string): readonly string[] {
  const words: string[] = [];
  let at = bytes.indexOf('\r\n') + 2;
  while (at < bytes.length) {
    const end = bytes.indexOf('\r\n', at);
    const length = Number(bytes.slice(at + 1, end));
    words.push(bytes.slice(end + 2, end + 2 + length));
    at = end + 2 + length + 2;
  }
  return words;
}
