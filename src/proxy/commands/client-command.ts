/**
 * CLIENT: of the connection to the proxy, not of those to Redis.
 */
import {
  encodeBulk,
  encodeError,
  encodeInteger,
  encodeList,
  encodeStatus,
  encodeText,
  encodeWrongCount,
  REPLIES,
} from '../wire/encode.ts';
import type { LocalState } from '../client/local-state.ts';
import { encodeRefusal } from './refused-commands.ts';
import { answerCaching, redirection, trackingInfo } from './tracking-command.ts';
import { describeClient, listClients, type Listed } from './client-list.ts';

/** What is there, for people. */
const HELP = encodeList(
  [
    'CLIENT <subcommand> [<arg> ...], of this connection to the proxy. Subcommands are:',
    'ID, GETNAME, SETNAME <name>, SETINFO <option> <value>',
    '    Its number, its name, and what its library says of itself.',
    'INFO',
    '    What is known of it.',
    'LIST [TYPE normal|pubsub | ID <id> ...]',
    '    The same of all clients of this listener (of several workers: of this one).',
    'TRACKING ON [OPTIN|OPTOUT] [NOLOOP], TRACKING OFF, CACHING YES|NO',
    '    In RESP3: it is told when what it has read has changed. OPTIN, OPTOUT and NOLOOP change nothing of that.',
    'TRACKINGINFO, GETREDIR',
    '    Whether it is.',
    'REPLY ON, NO-EVICT ON|OFF, NO-TOUCH ON|OFF, CAPA <capability> ...',
    '    Without effect, for libraries that ask for it.',
    'HELP',
    '    Print this help.',
  ].map(encodeStatus),
);

/** `clients`: of the same listener. */
export function answerClient(state: LocalState, args: readonly string[], clients: Iterable<Listed>): Buffer {
  const [subcommand = '', ...rest] = args;
  const wrongCount = (): Buffer => encodeWrongCount(`client|${subcommand.toLowerCase()}`);
  switch (subcommand.toUpperCase()) {
    case 'ID':
      return rest.length === 0 ? encodeInteger(state.id) : wrongCount();
    case 'GETNAME':
      if (rest.length > 0) return wrongCount();
      if (state.name !== '') return encodeBulk(state.name);
      return Buffer.from(state.protocol === 3 ? '_\r\n' : '$-1\r\n');
    case 'SETNAME':
      if (rest.length !== 1) return wrongCount();
      return setName(state, rest[0] ?? '');
    case 'SETINFO':
      if (rest.length !== 2) return wrongCount();
      return setInfo(state, rest[0] ?? '', rest[1] ?? '');
    case 'INFO':
      return rest.length === 0 ? encodeText(state.protocol, describeClient(state)) : wrongCount();
    case 'LIST':
      return listClients(state.protocol, clients, rest);
    case 'NO-EVICT':
    case 'NO-TOUCH':
      if (rest.length !== 1) return wrongCount();
      return /^(on|off)$/i.test(rest[0] ?? '') ? REPLIES.ok : encodeError('ERR syntax error');
    case 'CAPA':
      // Valkey, too, takes those that it does not know. It is rueidis that asks, and that does not connect after an error.
      return rest.length > 0 ? REPLIES.ok : wrongCount();
    case 'REPLY':
      return rest[0]?.toUpperCase() === 'ON' ? REPLIES.ok : notHere(subcommand);
    case 'GETREDIR':
      return rest.length === 0 ? encodeInteger(redirection(state.tracking)) : wrongCount();
    case 'TRACKINGINFO':
      return rest.length === 0 ? trackingInfo(state) : wrongCount();
    case 'HELP':
      return rest.length === 0 ? HELP : wrongCount();
    case 'CACHING':
      return answerCaching(state, rest);
    case 'KILL':
    case 'PAUSE':
    case 'UNBLOCK':
    case 'UNPAUSE':
      return notHere(subcommand);
    default:
      return encodeError(`ERR unknown subcommand '${subcommand}'. Try CLIENT HELP.`);
  }
}

function notHere(subcommand: string): Buffer {
  return encodeRefusal(`client|${subcommand.toLowerCase()}`, 'CLIENT HELP says what is');
}

export function setName(state: LocalState, name: string): Buffer {
  const problem = problemOf('Client names', name);
  if (problem !== undefined) return problem;
  state.name = name;
  return REPLIES.ok;
}

function setInfo(state: LocalState, option: string, value: string): Buffer {
  const problem = problemOf(option, value);
  if (problem !== undefined) return problem;
  switch (option.toUpperCase()) {
    case 'LIB-NAME':
      state.libraryName = value;
      return REPLIES.ok;
    case 'LIB-VER':
      state.libraryVersion = value;
      return REPLIES.ok;
    default:
      return encodeError(`ERR Unrecognized option '${option}'`);
  }
}

/** Kept of each client, and CLIENT LIST puts those of all into one string. */
const LONGEST_NAME = 1_024;

function problemOf(what: string, name: string): Buffer | undefined {
  if (name.length > LONGEST_NAME)
    return encodeError(`ERR ${what} cannot be longer than ${LONGEST_NAME} bytes.`);
  if (/^[!-~]*$/.test(name)) return undefined;
  return encodeError(`ERR ${what} cannot contain spaces, newlines or special characters.`);
}
