/**
 * Commands and replies of our own, as bytes.
 */
export function encodeCommand(...words: readonly (string | Buffer)[]): Buffer {
  return encodeList(words.map((word) => encodeBulk(Buffer.from(word))));
}

/** A string is Latin-1, each character a byte. */
export function encodeBulk(content: string | Uint8Array): Buffer {
  const bytes = typeof content === 'string' ? Buffer.from(content, 'latin1') : content;
  return Buffer.concat([Buffer.from(`$${bytes.length}\r\n`), bytes, LINE_END]);
}

/** The same within a text that is put together, to be UTF-8. */
export function bulk(content: string): string {
  return `$${Buffer.byteLength(content)}\r\n${content}\r\n`;
}

/** What is for people to read: RESP3 says so. Latin-1 as well. */
export function encodeText(protocol: 2 | 3, text: string): Buffer {
  return protocol === 2 ? encodeBulk(text) : Buffer.from(`=${text.length + 4}\r\ntxt:${text}\r\n`, 'latin1');
}

const LINE_END = Buffer.from('\r\n');

/** Latin-1 as well: it may quote what a client sent. */
export function encodeError(text: string): Buffer {
  return Buffer.from(`-${text.replaceAll(/[\r\n]/g, ' ')}\r\n`, 'latin1');
}

/** `name`: of a subcommand `client|kill`. */
export function encodeWrongCount(name: string): Buffer {
  return encodeError(`ERR wrong number of arguments for '${name}' command`);
}

export function encodeStatus(text: string): Buffer {
  return Buffer.from(`+${text}\r\n`);
}

export function encodeInteger(value: number): Buffer {
  return Buffer.from(`:${value}\r\n`);
}

export function encodeList(items: readonly Buffer[]): Buffer {
  return Buffer.concat([Buffer.from(`*${items.length}\r\n`), ...items]);
}

/** Envoy's own words for states that Redis does not have. */
export const REPLIES = {
  noUpstreamHost: encodeError('no upstream host'),
  upstreamFailure: encodeError('upstream failure'),
  tooManyRedirections: encodeError('upstream failure: redirected more than 5 times'),
  replyTooLong: encodeError('upstream failure: a reply of more than 1 GiB'),
  misfits: encodeError('upstream failure: several servers were asked, and one did not answer as Redis does'),
  faultInjected: encodeError('Fault Injected: Error'),
  crossSlot: encodeError("CROSSSLOT Keys in request don't hash to the same slot"),
  tooManyConnections: encodeError('ERR max number of connections to Redis reached'),
  ok: encodeStatus('OK'),
} as const;
