/**
 * What a scripted node answers to a command, and what the command does: as Redis 7 in cluster mode, of what clients here ask.
 */
import { publish, subscribe } from './messages.ts';
import { isMove, move } from './moves.ts';
import { read, tokenIn, write } from './node-keys.ts';
import { answerOfItself } from './of-itself.ts';
import { append } from './elements.ts';
import { isPop, keysOfPop, pop } from './pops.ts';
import { OK, array, bulk, error, integer, noArray } from './replies.ts';
import { scan } from './scan.ts';
import { NOSCRIPT, READONLY_SCRIPT, isScript, load, scriptedCommand } from './scripts.ts';
import { acknowledge, add } from './streams.ts';
import { rememberRead } from './tracked.ts';
import { shown, slotOfKey, type Command, type NodeState, type Talk } from './state.ts';

interface Spec {
  /** Which word the first key is; 1 where nothing is said. */
  readonly first?: number;
  /** The key's step; 0: there is one key only. */
  readonly step: number;
  readonly isWrite: boolean;
}

const SPECS: Readonly<Record<string, Spec>> = {
  GET: { step: 0, isWrite: false },
  MGET: { step: 1, isWrite: false },
  WATCH: { step: 1, isWrite: false },
  SET: { step: 0, isWrite: true },
  APPEND: { step: 0, isWrite: true },
  INCRBY: { step: 0, isWrite: true },
  DEL: { step: 1, isWrite: true },
  MSET: { step: 2, isWrite: true },
  RPUSH: { step: 0, isWrite: true },
  XADD: { step: 0, isWrite: true },
  XREADGROUP: { step: 0, isWrite: true },
  XACK: { step: 0, isWrite: true },
  BLPOP: { step: 0, isWrite: true },
  BLMPOP: { step: 0, isWrite: true },
  LMOVE: { step: 1, isWrite: true },
  BLMOVE: { step: 1, isWrite: true },
  SSUBSCRIBE: { step: 1, isWrite: false },
  SUNSUBSCRIBE: { step: 1, isWrite: false },
  SPUBLISH: { step: 0, isWrite: false },
  EVAL: { first: 3, step: 0, isWrite: true },
  EVALSHA: { first: 3, step: 0, isWrite: true },
  EVAL_RO: { first: 3, step: 0, isWrite: false },
  EVALSHA_RO: { first: 3, step: 0, isWrite: false },
  FCALL: { first: 3, step: 0, isWrite: true },
  FCALL_RO: { first: 3, step: 0, isWrite: false },
};

function keysOf(words: readonly string[], spec: Spec | undefined): readonly string[] {
  if (spec === undefined) return [];
  const { first = 1, step } = spec;
  if (isPop(nameOf(words))) return keysOfPop(words);
  if (isMove(nameOf(words))) return words.slice(1, 3);
  const args = words.slice(first);
  return step === 0 ? args.slice(0, 1) : args.filter((_, index) => index % step === 0);
}

const nameOf = ([name = '']: readonly string[]): string => name.toUpperCase();

/** Until the node that takes over has done so, no write is looked at. */
export function isHeldByPause(node: NodeState, { words }: Command): boolean {
  const name = nameOf(words);
  return node.isPaused && node.isPrimary && (SPECS[name]?.isWrite === true || name === 'EXEC');
}

const READONLY = "READONLY You can't write against a read only replica.";

/** Where the keys are not served here, Redis' word on it. */
function refusalOf(
  node: NodeState,
  talk: Talk,
  keys: readonly string[],
  isWrite: boolean,
  { isBlocked, isSharded } = { isBlocked: false, isSharded: false },
): string | undefined {
  const { view, cluster, shard } = node;
  if (cluster.isPlain) return isWrite && !node.isPrimary ? READONLY : undefined;
  const slots = new Set(keys.map(slotOfKey));
  const [slot] = slots;
  if (slot === undefined) return undefined;
  if (slots.size > 1) return "CROSSSLOT Keys in request don't hash to the same slot";
  const owner = view.owners[slot]!;
  const place = view.shards[owner];
  if (place === undefined) return 'CLUSTERDOWN Hash slot not served';
  if (node.refusal?.startsWith('CLUSTERDOWN') === true) return node.refusal;
  const migration = cluster.migrations.get(slot);
  const isOpen = migration !== undefined && owner === migration.from;
  const missing = isSharded ? 0 : keys.filter((key) => !cluster.keys[shard]!.has(key)).length;
  const moved = `MOVED ${slot} ${cluster.addressIn(view, place.primary)}`;
  if (isOpen && shard === migration.from && (node.isPrimary || talk.isReadonly) && missing > 0) {
    // Who waits goes on doing so until the slot is another's.
    if (isBlocked) return undefined;
    if (missing < keys.length) return 'TRYAGAIN Multiple keys request during rehashing of slot';
    return `ASK ${slot} ${cluster.addressIn(view, view.shards[migration.to]!.primary)}`;
  }
  if (isOpen && shard === migration.to && node.isPrimary && talk.isAsking) {
    return keys.length > 1 && missing > 0
      ? 'TRYAGAIN Multiple keys request during rehashing of slot'
      : undefined;
  }
  if (owner === shard && node.isPrimary) return undefined;
  if (owner === shard && talk.isReadonly && !isWrite) return undefined;
  return moved;
}

/** What may be said while a script runs, or while the data is read. */
const ALWAYS = /^(?:HELLO|AUTH|DISCARD|EXEC|MULTI|WATCH|UNWATCH)$/;
const WHILE_LOADING =
  /^(?:HELLO|AUTH|INFO|CLIENT|CLUSTER|READONLY|READWRITE|MULTI|EXEC|DISCARD|WATCH|UNWATCH)$/;
const BUSY = 'BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.';

function hindrance(node: NodeState, name: string): string | undefined {
  if (node.isLoading && !WHILE_LOADING.test(name)) return 'LOADING Redis is loading the dataset in memory';
  if (node.isBusy && !ALWAYS.test(name)) return BUSY;
  if (node.refusal?.startsWith('MASTERDOWN') === true && (name === 'PING' || SPECS[name] !== undefined))
    return name === 'PING' ? undefined : node.refusal;
  return undefined;
}

/** undefined: it blocks, and is to be looked at again. */
export function carryOut(
  node: NodeState,
  talk: Talk,
  command: Command,
  isBlocked: boolean,
): string | undefined {
  const { words } = command;
  const name = nameOf(words);
  const reply = name === 'EXEC' ? exec(node, talk) : answer(node, talk, command, isBlocked);
  if (reply === undefined) return undefined;
  if (name !== 'ASKING') talk.isAsking = false;
  if (
    SPECS[name] !== undefined ||
    name === 'EXEC' ||
    name === 'MULTI' ||
    name === 'ASKING' ||
    /PUBLISH|SUBSCRIBE|SCAN|SCRIPT/.test(name)
  )
    node.cluster.ledger.note(
      words.join(' ').slice(0, 200),
      `${talk.name}: ${shown(words)} → ${brief(reply)}`,
    );
  return reply;
}

const brief = (reply: string): string => JSON.stringify(reply.length > 80 ? `${reply.slice(0, 77)}…` : reply);

const UNBLOCKED =
  'UNBLOCKED force unblock from blocking operation, instance state changed (master -> replica?)';

function answer(node: NodeState, talk: Talk, command: Command, isBlocked: boolean): string | undefined {
  const { words } = command;
  const name = nameOf(words);
  const spec = SPECS[name];
  const keys = keysOf(words, spec);
  if (isBlocked && !node.isPrimary) return error(UNBLOCKED);
  const refusal =
    refusalOf(node, talk, keys, spec?.isWrite === true && !isScript(words), {
      isBlocked,
      isSharded: /^S(?:UN)?SUB|^SPUB/.test(name),
    }) ?? (isBlocked ? undefined : hindrance(node, name));
  if (refusal !== undefined) {
    if (talk.queued !== undefined) talk.isFailed = true;
    return error(refusal);
  }
  switch (name) {
    case 'PING':
      return '+PONG\r\n';
    case 'SCAN':
      return scan(node, words);
    case 'ASKING':
      talk.isAsking = true;
      return OK;
    case 'MULTI':
      if (talk.queued !== undefined) return error('ERR MULTI calls can not be nested');
      [talk.queued, talk.isFailed] = [[], false];
      return OK;
    case 'DISCARD':
      if (talk.queued === undefined) return error('ERR DISCARD without MULTI');
      endTransaction(talk);
      return OK;
    case 'SCRIPT':
      return bulk(load(node, words[2]!));
    case 'UNWATCH':
      talk.watched.clear();
      talk.isTouched = false;
      return OK;
    case 'SUBSCRIBE':
    case 'UNSUBSCRIBE':
    case 'PSUBSCRIBE':
    case 'PUNSUBSCRIBE':
    case 'SSUBSCRIBE':
    case 'SUNSUBSCRIBE':
      return subscribe(talk, name.toLowerCase(), words.slice(1));
    case 'WATCH':
      for (const key of keys) talk.watched.add(key);
      return OK;
    default:
      break;
  }
  const itself = answerOfItself(node, talk, words);
  if (itself !== undefined) return itself;
  if (spec === undefined && name !== 'PUBLISH')
    return error(`ERR unknown command '${words[0]}', with args beginning with: `);
  if (talk.queued !== undefined) {
    talk.queued.push(command);
    return '+QUEUED\r\n';
  }
  if (isMove(name)) return move(node, talk, command);
  return isPop(name) ? pop(node, talk, command) : perform(node, talk, command);
}

function endTransaction(talk: Talk): void {
  talk.queued = undefined;
  talk.watched.clear();
  talk.isTouched = false;
}

function exec(node: NodeState, talk: Talk): string {
  const { queued, isFailed, isTouched } = talk;
  if (queued === undefined) return error('ERR EXEC without MULTI');
  const keys = queued.flatMap(({ words }) => keysOf(words, SPECS[nameOf(words)]));
  const isWrite = queued.some(({ words }) => SPECS[nameOf(words)]?.isWrite);
  const isSharded = queued.some(({ words }) => nameOf(words) === 'SPUBLISH');
  const refusal = isFailed
    ? undefined
    : refusalOf(node, talk, keys, isWrite, { isBlocked: false, isSharded });
  endTransaction(talk);
  if (refusal !== undefined) return error(refusal);
  if (isFailed) return error('EXECABORT Transaction discarded because of previous errors.');
  if (node.isLoading) return error('EXECABORT Transaction discarded because of: LOADING Redis is loading');
  if (isTouched) return noArray(talk.protocol);
  return array(queued.map((command) => perform(node, talk, command)));
}

function perform(node: NodeState, talk: Talk, command: Command): string {
  const words = isScript(command.words) ? scriptedCommand(node, command.words) : command.words;
  if (words === undefined) return error(NOSCRIPT);
  const isWrite = SPECS[nameOf(words)]?.isWrite === true;
  if (isWrite && !node.isPrimary) return error(READONLY_SCRIPT);
  if (!isWrite) rememberRead(talk, keysOf(command.asked, SPECS[nameOf(command.asked)]));
  const [, key = '', argument = ''] = words;
  switch (nameOf(words)) {
    case 'GET':
      return read(node, talk, key);
    case 'MGET':
      return array(words.slice(1).map((each) => read(node, talk, each)));
    case 'SET': {
      const before = words.length > 3 ? read(node, talk, key) : OK;
      write(node, command, key, argument, tokenIn(argument));
      return before;
    }
    case 'MSET':
      for (let at = 1; at < words.length; at += 2)
        write(node, command, words[at]!, words[at + 1]!, tokenIn(words[at + 1]!));
      return OK;
    case 'APPEND': {
      const value = (node.cluster.ledger.value(key) ?? '') + argument;
      write(node, command, key, value, tokenIn(argument));
      return integer(value.length);
    }
    case 'INCRBY': {
      const value = Number(node.cluster.ledger.value(key) ?? 0) + Number(argument);
      write(node, command, key, String(value), Number(argument));
      return integer(value);
    }
    case 'PUBLISH':
    case 'SPUBLISH':
      node.cluster.ledger.count('published');
      return integer(publish(node, key, argument, nameOf(words) === 'SPUBLISH'));
    case 'RPUSH':
      return integer(append(node, command, key, argument));
    case 'XADD':
      return add(node, command);
    case 'XACK':
      return acknowledge(node, command);
    case 'DEL': {
      const token = words.length > 2 ? tokenIn(words.at(-1)!) : undefined;
      const there = words.slice(1).filter((each) => node.cluster.keys[node.shard]!.has(each));
      const named = token === undefined ? there : words.slice(1, -1);
      for (const each of named) write(node, command, each, null, token);
      return integer(there.length);
    }
    default:
      return error(`ERR ${words[0]}`);
  }
}
