/**
 * CLIENT LIST: for its clients a listener is the server, whose others they find there by the names that those gave themselves.
 */
import { addressOf } from '../../api/host-port.ts';
import type { LocalState } from '../client/local-state.ts';
import { encodeError, encodeText } from '../wire/encode.ts';

export interface Listed {
  readonly local: LocalState;
  readonly isSubscribed: boolean;
}

/** As Redis has them; a listener has no replicas and no primary. */
const TYPES = new Set(['normal', 'pubsub', 'master', 'replica', 'slave']);
const INTEGER = /^(?:0|-?[1-9]\d{0,18})$/;

/** `args`: `TYPE` and one, `ID` and some, or nothing. */
export function listClients(protocol: 2 | 3, clients: Iterable<Listed>, args: readonly string[]): Buffer {
  const [filter, ...wanted] = args;
  let isListed = (_client: Listed): boolean => true;
  if (filter?.toUpperCase() === 'TYPE' && wanted.length === 1) {
    const type = wanted[0]!.toLowerCase();
    if (!TYPES.has(type)) return encodeError(`ERR Unknown client type '${wanted[0]}'`);
    isListed = ({ isSubscribed }) => type === (isSubscribed ? 'pubsub' : 'normal');
  } else if (filter?.toUpperCase() === 'ID' && wanted.length > 0) {
    if (!wanted.every((id) => INTEGER.test(id))) return encodeError('ERR Invalid client ID');
    const ids = new Set(wanted);
    isListed = ({ local }) => ids.has(String(local.id));
  } else if (filter !== undefined) {
    return encodeError('ERR syntax error');
  }
  const lines = Array.from(clients, (client) => (isListed(client) ? describeClient(client.local) : ''));
  return encodeText(protocol, lines.join(''));
}

/** A line; there may be thousands of them. */
export function describeClient(state: LocalState): string {
  const age = Math.floor((Date.now() - state.since) / 1_000);
  const to = addressOf(state.localHost, state.localPort);
  const library = `lib-name=${state.libraryName} lib-ver=${state.libraryVersion}`;
  return `id=${state.id} addr=${state.address} laddr=${to} name=${state.name} age=${age} db=0 resp=${state.protocol} ${library}\n`;
}
