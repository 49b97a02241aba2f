/**
 * One reply of those to several parts of a command.
 */
import { ReplyScanner } from '../../redis/reply-scanner.ts';
import { REPLIES, encodeInteger } from './encode.ts';
import { handOn, inFrontOf } from './reply-sink.ts';
import { giveRequest, type ReplySink, type Request } from './request.ts';

const MINUS = 0x2d;
const COLON = 0x3a;

/** From all replies, none of them an error unless said, to one. */
export type Merge = (replies: readonly Buffer[]) => Buffer;

export interface Gathered {
  readonly merge: Merge;
  /** One that succeeds is enough, and the others are not waited for. */
  readonly oneIsEnough?: boolean;
  /** Of several errors one that begins so is told only where there is no other. */
  readonly saysLeast?: string;
}

export const same: Merge = (replies) => replies[0] ?? REPLIES.ok;
export const sum: Merge = (replies) =>
  encodeInteger(replies.reduce((total, reply) => total + Number(lineOf(reply)), 0));
/** Numbers, or arrays of as many numbers: the least of each. */
export const least: Merge = (replies) => {
  const rows = replies.map((reply) => reply.toString('latin1').split('\r\n'));
  const [first = []] = rows;
  const lines = first.map((line, index) =>
    line.startsWith(':') ? `:${Math.min(...rows.map((row) => Number(row[index]?.slice(1))))}` : line,
  );
  return Buffer.from(lines.join('\r\n'));
};
/** Arrays that differ in their numbers only: the sum of each. */
export const sums: Merge = (replies) => {
  const rows = replies.map(elementsOf);
  const [first = REPLIES.ok] = replies;
  const elements = (rows[0] ?? []).map((element, index) =>
    element[0] === COLON ? sum(rows.flatMap((row) => row.slice(index, index + 1))) : element,
  );
  if (elements.length === 0) return first;
  return Buffer.concat([first.subarray(0, first.indexOf('\r\n') + 2), ...elements]);
};
/** Arrays, what several have once. */
export const union: Merge = (replies) => {
  const all = replies.flatMap(elementsOf).map((element) => [element.toString('latin1'), element] as const);
  const elements = [...new Map(all).values()];
  return Buffer.concat([Buffer.from(`*${elements.length}\r\n`), ...elements]);
};
/** Arrays, one behind the other. */
export const concatenate: Merge = (replies) => {
  const count = replies.reduce((total, reply) => total + Number(lineOf(reply)), 0);
  return Buffer.concat([Buffer.from(`*${count}\r\n`), ...replies.map(behindLine)]);
};
export class MergedReply {
  readonly #request: Request;
  readonly #how: Gathered;
  readonly #replies: Buffer[];
  #missing: number;
  #isAnswered = false;

  constructor(request: Request, how: Gathered, parts: number) {
    this.#request = request;
    this.#how = how;
    this.#replies = Array.from({ length: parts });
    this.#missing = parts;
  }

  sinkFor(index: number): ReplySink {
    return inFrontOf(this.#request.sink!, (part, bytes, start, end) => {
      const reply = Buffer.from(bytes.subarray(start, end));
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
    const errors = this.#replies.filter((reply) => reply[0] === MINUS);
    const bad = errors.find((reply) => saysLeast === undefined || !startsWith(reply, saysLeast)) ?? errors[0];
    return bad ?? merge(this.#replies);
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

function elementsOf(reply: Buffer): readonly Buffer[] {
  const rest = behindLine(reply);
  const scanner = new ReplyScanner();
  const elements: Buffer[] = [];
  for (let at = 0; at < rest.length;) {
    const end = scanner.scan(rest, at, rest.length);
    // It was no list: what speaks Redis' protocol need not be a Redis.
    if (end <= at) break;
    elements.push(rest.subarray(at, end));
    at = end;
  }
  return elements;
}

export function behindLine(reply: Buffer): Buffer {
  return reply.subarray(reply.indexOf('\r\n') + 2);
}
