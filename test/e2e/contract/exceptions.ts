/**
 * Where Envoy 1.40 does otherwise than the proxy, and why; and which replies can't be the same twice.
 */
import { KIND, type Command } from '../../../src/redis/command-table.ts';
import type { Case } from './cases.ts';

/** What of Envoy's doing is compared nevertheless. */
export interface Exception {
  readonly why: string;
  readonly applies: (each: Case) => boolean;
  /** The last node that it came to is compared; otherwise all are. */
  readonly isRedirected?: boolean;
  readonly ignores: readonly ('node' | 'bytes' | 'reply' | 'mirror')[];
}

const words = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/));
const named =
  (names: string): Exception['applies'] =>
  ({ command }) =>
    words(names).has(command.name);

/** Envoy answers that it does not know them; the test sees that it does. */
export const UNKNOWN_TO_ENVOY = words(`
  blmove blmpop blpop brpop brpoplpush bzmpop bzpopmax bzpopmin delifeq eval_ro evalsha_ro expiretime fcall fcall_ro hgetdel
  hgetex hsetex lcs lmpop memory msetex pexpiretime sintercard spublish ssubscribe sunsubscribe xgroup xinfo xread xreadgroup
  xsetid zintercard zmpop
  acl asking bgrewriteaof bgsave clusterscan command commandlog dbsize debug failover function lastsave latency lolwut migrate
  module monitor move pfdebug pfselftest psubscribe psync pubsub punsubscribe readonly readwrite replconf replicaof reset
  restore-asking save shutdown slaveof subscribe swapdb sync unsubscribe wait waitaof
`);

const isRemoved = ({ route }: Case): boolean => route.kind === 'removed prefix';
const isPrefixed = ({ route }: Case): boolean => route.kind !== 'catch-all';

export const EXCEPTIONS: readonly Exception[] = [
  {
    why: 'Envoy takes these writes for reads: a replica redirects them to the primary',
    applies: named('getset getex xadd xdel xtrim xack xclaim xautoclaim'),
    isRedirected: true,
    ignores: [],
  },
  {
    why: 'Envoy looks at the word behind the name instead of the first key: another route',
    applies: (each) => isPrefixed(each) && named('bitop zdiff zinter zunion')(each),
    isRedirected: true,
    ignores: ['node', 'bytes', 'reply', 'mirror'],
  },
  {
    why: 'Envoy looks at the word behind the name instead of the first key: a node that redirects to the primary',
    applies: named('bitop zdiff zinter zunion'),
    isRedirected: true,
    ignores: ['node'],
  },
  {
    why: 'Envoy cuts the prefix off the first key only',
    applies: (each) => isRemoved(each) && each.keys.length > 1 && each.command.kind !== KIND.split,
    ignores: ['bytes', 'reply'],
  },
  {
    why: 'Envoy asks with GETs: an element of another type is an error, not null',
    applies: named('mget'),
    ignores: ['reply'],
  },
  {
    why: 'Envoy sends WATCH where reads go, with the prefix, and to the mirror; it has no effect',
    applies: named('watch'),
    ignores: ['node', 'bytes', 'mirror'],
  },
];

/** Of these a mirror gets another command, or nothing: its connections are shared. */
export function isNeverMirrored({ kind, name }: Command): boolean {
  return (
    (kind === KIND.blocking && !name.startsWith('xread')) || kind === KIND.pubsub || kind === KIND.transaction
  );
}

/** Of these the primary is asked what a replica does not know: which function. */
export const MAY_BE_LACKING: ReadonlySet<string> = words('fcall_ro evalsha_ro');

/** Envoy passes a null array on as a null string. */
export function asFromEnvoy(reply: string): string {
  return reply.replaceAll('*-1\r\n', '$-1\r\n');
}

export function exceptionOf(each: Case): Exception | undefined {
  return EXCEPTIONS.find(({ applies }) => applies(each));
}

/** Of commands that no key places: where Envoy's reply is another one. */
export const OTHER_REPLIES: ReadonlyMap<string, string> = new Map([
  ['auth', 'has words of its own for a password that nobody asked for'],
  ['client', 'knows SETNAME and SETINFO only'],
  ['config', 'answers a flat array under RESP3 too'],
  ['flushall', 'asks replicas, which refuse'],
  ['flushdb', 'asks replicas, which refuse'],
  ['cluster', 'asks a node of the cluster; KEYSLOT of what it says of itself is the same'],
  ['discard', 'has words of its own outside of a transaction'],
  ['exec', 'has words of its own outside of a transaction'],
  ['hello', 'speaks one protocol a listener, and names itself'],
  ['info', 'adds up the shards, of some sections only'],
  ['ping', 'answers PONG to every PING'],
  ['publish', 'routes it as if the channel were a key, and as a read'],
  ['randomkey', 'asks one shard, which may be empty'],
  ['role', 'answers an array of the shards'],
  ['scan', 'puts the replies of all shards one behind the other'],
  ['script', 'wants the same reply of every shard'],
  ['slowlog', 'counts what differs from one run to the next'],
  ['time', 'answers itself, the seconds in microseconds'],
  ['unwatch', 'sends it to nobody'],
]);

/** The proxy's own replies to commands that no key places. */
export const OWN_REPLIES: ReadonlyMap<string, string> = new Map([
  ['client', 'the client is its own'],
  ['cluster', 'to cluster clients it is a cluster of one node'],
  ['command', 'as many as its table has'],
  ['dbsize', 'of all shards'],
  ['hello', 'the id is of its own connection'],
  ['info', 'counters'],
  ['lastsave', 'of any node'],
  ['lolwut', 'a picture, drawn at random'],
  ['randomkey', 'random'],
  ['role', 'offsets'],
  ['scan', 'the shard is in the cursor'],
]);

/** How many primaries of the catch-all's cluster get a command without a key; else nobody does. */
const TO_ALL = words('dbsize flushall flushdb keys pubsub randomkey script slowlog wait waitaof');
const TO_ONE = words(`
  config function info lastsave lolwut psubscribe publish punsubscribe role scan subscribe time unsubscribe
`);

export function primariesFor({ name }: Command, all: number): number {
  if (TO_ALL.has(name)) return all;
  return TO_ONE.has(name) ? 1 : 0;
}

interface Normaliser {
  readonly why: string;
  readonly names: ReadonlySet<string>;
  readonly normalise: (reply: string) => string;
}

const kindOnly = (reply: string): string => reply[0] ?? '';
const sorted = (reply: string): string => reply.split('\r\n').toSorted().join('\r\n');

/** Random, timed and unordered replies. */
const NORMALISERS: readonly Normaliser[] = [
  {
    why: 'the time goes on',
    names: words('ttl pttl httl hpttl xpending xinfo time lastsave info object'),
    normalise: (reply) => reply.replaceAll(/\d+/g, '0'),
  },
  { why: 'in no order', names: words('keys sdiff sinter sunion smembers'), normalise: sorted },
  { why: 'counters', names: words('slowlog memory wait'), normalise: kindOnly },
];

export function normalised({ name }: Command, reply: string): string {
  const found = NORMALISERS.find(({ names }) => names.has(name));
  return found === undefined ? reply : found.normalise(reply);
}
