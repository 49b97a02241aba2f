/**
 * RESP as nodes write it and clients read it.
 */
export type Reply = string | number | null | ReplyError | readonly Reply[];

export class ReplyError {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export const OK = '+OK\r\n';
export const error = (text: string): string => `-${text}\r\n`;
export const integer = (value: number): string => `:${value}\r\n`;
export const bulk = (text: string): string => `$${text.length}\r\n${text}\r\n`;
export const array = (items: readonly string[]): string => `*${items.length}\r\n${items.join('')}`;
export const nothing = (protocol: number): string => (protocol === 3 ? '_\r\n' : '$-1\r\n');
export const noArray = (protocol: number): string => (protocol === 3 ? '_\r\n' : '*-1\r\n');
export const request = (words: readonly string[]): string => array(words.map(bulk));

interface Read {
  readonly reply: Reply;
  readonly end: number;
}

/** In which protocols alone a reply can be written as it is. */
export type Protocols = Set<2 | 3>;

/** The reply that begins at `at`; undefined: it is not complete. Throws where it is none. */
function readReply(text: string, at: number, only: Protocols): Read | undefined {
  const lineEnd = text.indexOf('\r\n', at);
  if (lineEnd < 0) return undefined;
  const line = text.slice(at + 1, lineEnd);
  const behind = lineEnd + 2;
  switch (text[at]) {
    case '+':
      return { reply: line, end: behind };
    case '-':
      return { reply: new ReplyError(line), end: behind };
    case ':':
      return { reply: numberIn(line), end: behind };
    case '_':
      only.add(3);
      return { reply: null, end: behind };
    case '$':
      return readBulk(text, behind, numberIn(line), only);
    case '*':
      return readItems(text, behind, numberIn(line), only);
    case '>':
      only.add(3);
      return readItems(text, behind, numberIn(line), only);
    case '%':
      only.add(3);
      return readItems(text, behind, 2 * numberIn(line), only);
    case undefined:
    default:
      throw new Error(`no reply: ${JSON.stringify(text.slice(at, at + 60))}`);
  }
}

/** Replies out of text that comes in pieces. */
export class ReplyReader {
  #text = '';

  /** Tells each that is complete by now. Throws where one is none. */
  read(text: string, tell: (reply: Reply, only: Protocols) => void): void {
    this.#text += text;
    let at = 0;
    while (at < this.#text.length) {
      const only: Protocols = new Set();
      const read = readReply(this.#text, at, only);
      if (read === undefined) break;
      at = read.end;
      tell(read.reply, only);
    }
    this.#text = this.#text.slice(at);
  }
}

function numberIn(line: string): number {
  if (!/^-?\d+$/.test(line)) throw new Error(`no number: ${JSON.stringify(line)}`);
  return Number(line);
}

function readBulk(text: string, at: number, length: number, only: Protocols): Read | undefined {
  if (length < 0) {
    only.add(2);
    return { reply: null, end: at };
  }
  const end = at + length;
  if (text.length < end + 2) return undefined;
  if (text.slice(end, end + 2) !== '\r\n')
    throw new Error(`no end of a string: ${text.slice(end, end + 20)}`);
  return { reply: text.slice(at, end), end: end + 2 };
}

function readItems(text: string, at: number, count: number, only: Protocols): Read | undefined {
  if (count < 0) {
    only.add(2);
    return { reply: null, end: at };
  }
  const items: Reply[] = [];
  let end = at;
  for (let index = 0; index < count; index++) {
    const item = end < text.length ? readReply(text, end, only) : undefined;
    if (item === undefined) return undefined;
    items.push(item.reply);
    end = item.end;
  }
  return { reply: items, end };
}
