/**
 * Commands that concern the connection alone, answered without asking Redis, in Redis' words.
 */
import type { ClientAuth } from '../../plan/routing-plan.ts';
import { isCountRight, type Command } from '../../redis/command-table.ts';
import { areRightCredentials } from '../client/client-auth.ts';
import { answerClient, setName } from './client-command.ts';
import type { Listed } from './client-list.ts';
import { answerCluster } from './cluster-emulation.ts';
import { bulk, encodeBulk, encodeError, encodeStatus, encodeWrongCount, REPLIES } from '../wire/encode.ts';
import type { LocalState } from '../client/local-state.ts';

export interface LocalReply {
  readonly reply: Buffer;
  /** The connection ends after it. */
  readonly ends?: boolean;
}

const PONG = encodeStatus('PONG');
const WRONG_PASSWORD = encodeError('WRONGPASS invalid username-password pair or user is disabled.');
export const NOT_AUTHENTICATED = encodeError('NOAUTH Authentication required.');
const NOT_CONFIGURED = encodeError(
  'ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?',
);

const NOT_IN_CLUSTERS = encodeError('ERR SELECT is not allowed in cluster mode');
const ONLY_DATABASE_0 = encodeError(
  "ERR 'select' of another database than 0 is not carried out by this proxy, whose clients share connections; tell applications apart by prefixes of their keys",
);

/** What is asked behind these goes over other connections, and must not overtake what was asked before. */
export const CHANGES_CONNECTIONS = new Set(['reset', 'hello']);
/** Their argument may be anything. */
const REPEATING = new Set(['ping', 'echo']);
const LONGEST_WORD = 65_536;

const BEFORE_AUTH = new Set(['auth', 'hello', 'quit', 'reset']);

/** Of the listener. */
interface Around {
  readonly auth: ClientAuth;
  /** All that is behind it. */
  readonly isCluster: boolean;
  readonly clients: Iterable<Listed>;
}

/** `words`: Latin-1, each character a byte, as they need not be text. */
export function answerLocally(
  state: LocalState,
  command: Command,
  words: readonly string[],
  { auth, isCluster, clients }: Around,
): LocalReply {
  const { name } = command;
  if (!state.isAuthenticated && !BEFORE_AUTH.has(name)) return { reply: NOT_AUTHENTICATED };
  if (!isCountRight(command, words.length)) return { reply: encodeWrongCount(name) };
  // What is put together of it must stay a string.
  if (!REPEATING.has(name) && words.some(({ length }) => length > LONGEST_WORD)) {
    return { reply: encodeError(`ERR an argument of '${name}' is too long`) };
  }
  switch (name) {
    case 'quit':
      return { reply: REPLIES.ok, ends: true };
    case 'reset':
      return { reply: reset(state, auth) };
    case 'ping':
      if (words.length > 2) return { reply: encodeWrongCount(name) };
      return { reply: words[1] === undefined ? PONG : encodeBulk(words[1]) };
    case 'echo':
      return { reply: encodeBulk(words[1] ?? '') };
    case 'auth':
      return { reply: authenticate(state, words.slice(1), auth) };
    case 'hello':
      return { reply: hello(state, words.slice(1), auth) };
    case 'select':
      return { reply: selected(words[1] ?? '', isCluster) };
    case 'client':
      return { reply: answerClient(state, words.slice(1), clients) };
    case 'cluster':
      return { reply: answerCluster(state, words.slice(1)) };
    default:
      // READONLY, READWRITE, ASKING: where a command goes is the proxy's business.
      return { reply: REPLIES.ok };
  }
}

function reset(state: LocalState, auth: ClientAuth): Buffer {
  state.protocol = 2;
  state.name = '';
  state.hasPassword = false;
  state.follow(auth);
  return encodeStatus('RESET');
}

/** As Redis reads one: `00` and `-0` are none, nor what 64 bits can't hold. */
function isInteger(text: string): boolean {
  return /^(?:0|-?[1-9]\d{0,18})$/.test(text) && BigInt.asIntN(64, BigInt(text)) === BigInt(text);
}

/** What SELECT is answered. */
export function selected(index: string, isCluster: boolean): Buffer {
  if (index === '0') return REPLIES.ok;
  if (!isInteger(index)) return encodeError('ERR value is not an integer or out of range');
  if ((Number(index) | 0) !== Number(index))
    return encodeError('ERR value is out of range, value must between -2147483648 and 2147483647');
  return isCluster ? NOT_IN_CLUSTERS : ONLY_DATABASE_0;
}

function authenticate(state: LocalState, args: readonly string[], auth: ClientAuth): Buffer {
  if (args.length > 2) return encodeError('ERR syntax error');
  if (auth.kind === 'none') {
    if (args.length === 1) return NOT_CONFIGURED;
    return args[0] === 'default' ? REPLIES.ok : WRONG_PASSWORD;
  }
  const [username = '', password = ''] = args.length === 1 ? ['default', ...args] : args;
  if (!areRightCredentials(auth, username, password)) return WRONG_PASSWORD;
  state.hasPassword = true;
  state.follow(auth);
  return REPLIES.ok;
}

function hello(state: LocalState, args: readonly string[], auth: ClientAuth): Buffer {
  const [version, ...options] = args;
  if (version !== undefined && !isInteger(version)) {
    return encodeError('ERR Protocol version is not an integer or out of range');
  }
  if (version !== undefined && version !== '2' && version !== '3') {
    return encodeError('NOPROTO unsupported protocol version');
  }
  let credentials: readonly [string, string] | undefined;
  let name: string | undefined;
  for (let at = 0; at < options.length;) {
    const option = options[at]?.toUpperCase();
    const [first, second] = options.slice(at + 1, at + 3);
    if (option === 'AUTH' && first !== undefined && second !== undefined) {
      credentials = [first, second];
      at += 3;
    } else if (option === 'SETNAME' && first !== undefined) {
      name = first;
      at += 2;
    } else {
      return encodeError(`ERR Syntax error in HELLO option '${options[at] ?? ''}'`);
    }
  }
  if (credentials !== undefined) {
    const reply = authenticate(state, credentials, auth);
    if (reply !== REPLIES.ok) return reply;
  }
  if (!state.isAuthenticated) {
    return encodeError(
      'NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and select the RESP protocol version at the same time',
    );
  }
  if (name !== undefined) {
    const reply = setName(state, name);
    if (reply !== REPLIES.ok) return reply;
  }
  if (version !== undefined) state.protocol = version === '3' ? 3 : 2;
  return greeting(state);
}

/** What the proxy says it is. Clients look at `proto`; redis-py at the version, from 7.4 on for client-side caching. */
function greeting({ protocol, id }: LocalState): Buffer {
  const head = protocol === 3 ? '%7\r\n' : '*14\r\n';
  const pairs = [
    bulk('server') + bulk('redis'),
    bulk('version') + bulk('7.4.0'),
    `${bulk('proto')}:${protocol}\r\n`,
    `${bulk('id')}:${id}\r\n`,
    bulk('mode') + bulk('standalone'),
    bulk('role') + bulk('master'),
    `${bulk('modules')}*0\r\n`,
  ];
  return Buffer.from(head + pairs.join(''));
}
