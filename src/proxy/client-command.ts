/**
 * CLIENT: of the connection to the proxy, not of those to Redis.
 */
import { encodeBulk, encodeError, encodeInteger, encodeText, REPLIES } from './encode.ts';
import type { LocalState } from './local-state.ts';

export function answerClient(state: LocalState, args: readonly string[]): Buffer {
  const [subcommand = '', ...rest] = args;
  const wrongCount = (): Buffer =>
    encodeError(`ERR wrong number of arguments for 'client|${subcommand.toLowerCase()}' command`);
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
      return encodeText(state.protocol, describe(state));
    case 'LIST':
      return encodeText(state.protocol, describe(state));
    case 'NO-EVICT':
    case 'NO-TOUCH':
      return rest.length === 1 ? REPLIES.ok : wrongCount();
    case 'REPLY':
      return rest[0]?.toUpperCase() === 'ON' ? REPLIES.ok : notHere(subcommand);
    case 'GETREDIR':
      return encodeInteger(-1);
    case 'TRACKING':
      return rest[0]?.toUpperCase() === 'OFF' ? REPLIES.ok : notHere(subcommand);
    case 'CACHING':
    case 'HELP':
    case 'KILL':
    case 'PAUSE':
    case 'TRACKINGINFO':
    case 'UNBLOCK':
    case 'UNPAUSE':
      return notHere(subcommand);
    default:
      return encodeError(`ERR unknown subcommand '${subcommand}'. Try CLIENT HELP.`);
  }
}

function notHere(subcommand: string): Buffer {
  return encodeError(`ERR 'client|${subcommand.toLowerCase()}' is not carried out by this proxy`);
}

export function setName(state: LocalState, name: string): Buffer {
  if (!/^[!-~]*$/.test(name)) {
    return encodeError('ERR Client names cannot contain spaces, newlines or special characters.');
  }
  state.name = name;
  return REPLIES.ok;
}

function setInfo(state: LocalState, option: string, value: string): Buffer {
  if (!/^[!-~]*$/.test(value)) {
    return encodeError(`ERR ${option} cannot contain spaces, newlines or special characters.`);
  }
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

function describe(state: LocalState): string {
  const fields = {
    id: state.id,
    addr: state.address,
    laddr: `${state.localHost}:${state.localPort}`,
    name: state.name,
    age: Math.floor((Date.now() - state.since) / 1_000),
    db: 0,
    resp: state.protocol,
    'lib-name': state.libraryName,
    'lib-ver': state.libraryVersion,
  };
  const words = Object.entries(fields).map(([name, value]) => `${name}=${value}`);
  return `${words.join(' ')}\n`;
}
