/**
 * Error replies that say: not carried out. All others are the client's.
 */
import { encodeCommand } from '../wire/encode.ts';
import type { Node } from '../topology/node.ts';
import { isPort } from '../topology/topology.ts';

/** Redirections of one command that are followed. */
export const MAX_HOPS = 5;
/** Before a command that ASK has sent to another node. */
export const ASKING = encodeCommand('ASKING');

interface Redirection {
  readonly kind: 'moved' | 'ask';
  readonly slot: number;
  readonly host: string;
  readonly port: number;
}

export type Refusal =
  | Redirection
  /** The node can't serve anybody now. */
  | { readonly kind: 'unfit'; readonly word: 'LOADING' | 'MASTERDOWN' | 'CLUSTERDOWN' | `BUSY ${string}` }
  /** Some of the keys have moved to another node. */
  | { readonly kind: 'torn' }
  /** The same node may do it in a moment. */
  | { readonly kind: 'later' };

const FIRST_LETTERS = new Set(Buffer.from('BMACLRTU'));
const LONGEST = 300;

/** Redis' own words: a script that says what begins alike was carried out. */
const OWN_WORDS =
  /^(?:MOVED|ASK|BUSY \w+ is busy|LOADING .*load|MASTERDOWN Link|CLUSTERDOWN .*(?:is down|not served)|TRYAGAIN Multiple keys|READONLY You can't write|UNBLOCKED force)/;

/** Reads the error reply `bytes[start, end)`, its `-` included. */
export function parseRefusal(bytes: Uint8Array, start: number, end: number): Refusal | undefined {
  const text = refusalText(bytes, start, end);
  return text === undefined ? undefined : readRefusal(text);
}

/** The same without `-` and line end; undefined: it can be none, however long it is. */
export function refusalText(bytes: Uint8Array, start: number, end: number): string | undefined {
  if (!FIRST_LETTERS.has(bytes[start + 1]!) || end - start > LONGEST) return undefined;
  return Buffer.from(bytes.buffer, bytes.byteOffset + start + 1, end - start - 3).toString('latin1');
}

export function readRefusal(text: string): Refusal | undefined {
  if (!OWN_WORDS.test(text)) return undefined;
  const [word, slot, address] = text.split(' ', 3);
  switch (word) {
    case 'MOVED':
    case 'ASK': {
      const colon = address?.lastIndexOf(':') ?? -1;
      const port = Number(address?.slice(colon + 1));
      if (address === undefined || colon < 0 || !isPort(port)) return undefined;
      const host = address.slice(0, colon).replace(/^\[(.*)\]$/, '$1');
      return { kind: word === 'MOVED' ? 'moved' : 'ask', slot: Number(slot), host, port };
    }
    case 'LOADING':
    case 'MASTERDOWN':
      return { kind: 'unfit', word };
    case 'BUSY':
      return { kind: 'unfit', word: `BUSY ${text.slice(5)}` };
    case 'CLUSTERDOWN':
      // Reads go on with cluster-allow-reads-when-down, and other slots are served; one command waits without the node being
      // passed by.
      return /only accepts read|not served/.test(text) ? { kind: 'later' } : { kind: 'unfit', word };
    case 'TRYAGAIN':
      return { kind: 'torn' };
    case 'READONLY':
    // Whoever waited there is sent away: it is primary no longer.
    case 'UNBLOCKED':
      return { kind: 'later' };
    case undefined:
    default:
      return undefined;
  }
}

/**
 * Where a redirection leads. Without a name of the kind that its cluster prefers that is `?`: of MOVED the map says soon where;
 * of ASK it never does, and the one node at the port is meant, if there is but one. Where all have the same port, one that is
 * not known yet may be meant as well.
 */
export function hostOf({ kind, host, port }: Redirection, from: Node, nodes: Iterable<Node>): string {
  if (host === '?' && kind === 'moved') return host;
  if (host !== '?') return host === '' ? from.options.host : host;
  const [only, ...others] = [...nodes].filter(({ options }) => options.port === port);
  return only === undefined || only === from || others.length > 0 ? host : only.options.host;
}
