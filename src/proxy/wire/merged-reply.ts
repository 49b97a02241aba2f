/**
 * One reply of those to several parts of a command.
 */
import { ReplyScanner } from '../../redis/reply-scanner.ts';
import { REPLIES, encodeInteger, encodeList } from './encode.ts';
import { keptBytes } from './offered.ts';
import { longestReply } from './partial-reply.ts';
import { handOn, inFrontOf } from './reply-sink.ts';
import { giveRequest, type ReplySink, type Request } from './request.ts';

const MINUS = 0x2d;
const COLON = 0x3a;
const STAR = 0x2a;

/** From several replies, none of them an error unless said, to one; undefined: one of them is of another kind. */
export type Merge = (replies: readonly Buffer[]) => Buffer | undefined;

export interface Gathered {
  readonly merge: Merge;
  /** One that succeeds is enough, and the others are not waited for. */
  readonly oneIsEnough?: boolean;
  /** Of several errors one that begins so is told only where there is no other. */
  readonly saysLeast?: string;
}

export const same: Merge = (replies) => replies[0];
export const sum: Merge = (replies) => {
  const total = replies.reduce((before, reply) => before + numberOf(reply), 0);
  return Number.isInteger(total) ? encodeInteger(total) : undefined;
};
const leastNumber: Merge = (replies) => {
  const number = Math.min(...replies.map(numberOf));
  return Number.isInteger(number) ? encodeInteger(number) : undefined;
};
/** Numbers, or arrays of as many numbers: the least of each. */
export const least: Merge = (replies) =>
  replies[0]?.[0] === STAR ? byElement(replies, leastNumber) : leastNumber(replies);
/** Arrays that differ in their numbers only: the sum of each. */
export const sums: Merge = (replies) =>
  byElement(replies, (column) => (column[0]?.[0] === COLON ? sum(column) : column[0]));
/** Arrays of 0 and 1, element by element. */
export const allTrue: Merge = (replies) =>
  byElement(replies, (column) => encodeInteger(Number(column.every((element) => numberOf(element) === 1))));
/** Arrays, what several have once. */
export const union: Merge = (replies) => {
  const rows = replies.map(elementsOf);
  if (!rows.every((row) => row !== undefined)) return undefined;
  const all = rows.flat().map((element) => [element.toString('latin1'), element] as const);
  return encodeList([...new Map(all).values()]);
};
/** Arrays, one behind the other. */
export const concatenate: Merge = (replies) => {
  if (!replies.every(isList)) return undefined;
  const count = replies.reduce((total, reply) => total + Number(lineOf(reply)), 0);
  return Buffer.concat([Buffer.from(`*${count}\r\n`), ...replies.map(behindLine)]);
};

/** Arrays: the elements of each belong at its `places`. */
export function interleaved(places: readonly (readonly number[])[]): Merge {
  return (replies) => {
    const elements: Buffer[] = [];
    for (const [index, reply] of replies.entries()) {
      const [own = [], at] = [elementsOf(reply), places[index]!];
      if (own.length !== at.length) return undefined;
      for (const [number, element] of own.entries()) elements[at[number]!] = element;
    }
    return encodeList(elements);
  };
}

export class MergedReply {
  readonly #request: Request;
  readonly #how: Gathered;
  readonly #replies: Buffer[];
  #missing: number;
  #bytes = 0;
  #isAnswered = false;

  constructor(request: Request, how: Gathered, parts: number) {
    this.#request = request;
    this.#how = how;
    this.#replies = Array.from({ length: parts });
    this.#missing = parts;
  }

  sinkFor(index: number): ReplySink {
    return inFrontOf(this.#request.sink!, (part, bytes, start, end) => {
      this.#bytes += end - start;
      const isTooLong = this.#bytes > longestReply.bytes;
      const reply = isTooLong ? REPLIES.replyTooLong : keptBytes(bytes, start, end);
      this.#replies[index] = reply;
      giveRequest(part);
      this.#missing -= 1;
      if (this.#isAnswered) return;
      if (this.#how.oneIsEnough === true && reply[0] !== MINUS) this.#answer(reply);
      else if (this.#missing === 0) this.#answer(this.#merged());
    });
  }

  #merged(): Buffer {
    const { merge, saysLeast } = this.#how;
    // As its server says it.
    if (this.#replies.length === 1) return this.#replies[0]!;
    const errors = this.#replies.filter((reply) => reply[0] === MINUS);
    const bad = errors.find((reply) => saysLeast === undefined || !startsWith(reply, saysLeast)) ?? errors[0];
    return bad ?? merge(this.#replies) ?? REPLIES.misfits;
  }

  #answer(reply: Buffer): void {
    this.#isAnswered = true;
    handOn(this.#request.sink!, this.#request, reply);
  }
}

function startsWith(reply: Buffer, text: string): boolean {
  return reply.toString('latin1', 0, text.length) === text;
}

/** Without its type and line end: `:12` is 12, `*3` is 3. */
function lineOf(reply: Buffer): string {
  return reply.toString('latin1', 1, reply.indexOf('\r\n'));
}

function numberOf(reply: Buffer): number {
  return reply[0] === COLON ? Number(lineOf(reply)) : NaN;
}

/** Not a null, which is `*-1` before RESP3. */
function isList(reply: Buffer): boolean {
  return reply[0] === STAR && /^\d+$/.test(lineOf(reply));
}

/** undefined: it is no list. */
function elementsOf(reply: Buffer): readonly Buffer[] | undefined {
  if (!isList(reply)) return undefined;
  const rest = behindLine(reply);
  const scanner = new ReplyScanner();
  const elements: Buffer[] = [];
  for (let at = 0; at < rest.length;) {
    const end = scanner.scan(rest, at, rest.length);
    elements.push(rest.subarray(at, end));
    at = end;
  }
  return elements;
}

/** Arrays of as many elements, of which the first, the second, … are each made one by `merge`. */
function byElement(replies: readonly Buffer[], merge: Merge): Buffer | undefined {
  const rows = replies.map(elementsOf);
  const [first] = rows;
  const merged = first?.map((_, index) => merge(rows.map((row) => row?.[index] ?? Buffer.alloc(0))));
  const fits =
    merged?.every((element) => element !== undefined) && rows.every((row) => row?.length === first?.length);
  return fits === true ? encodeList(merged ?? []) : undefined;
}

function behindLine(reply: Buffer): Buffer {
  return reply.subarray(reply.indexOf('\r\n') + 2);
}
