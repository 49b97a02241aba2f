/**
 * Finds where one command begins and ends in what a client sent, and its arguments within; goes on where it stopped
 * when more has come. Looks at bytes only: nothing is copied, and no length is believed beyond its limit.
 *
 * Tight: every byte of every command passes here (`npm run bench -- proxy`).
 */
export const COMPLETE = 0;
export const INCOMPLETE = 1;
/** A line without `*`: `start` to `at` is it. */
export const INLINE = 2;
/** `problem` says what; the connection must be closed. */
export const BROKEN = 3;

export type FrameStatus = typeof COMPLETE | typeof INCOMPLETE | typeof INLINE | typeof BROKEN;

export interface RequestLimits {
  readonly argumentBytes: number;
  readonly arguments: number;
}

/** What Redis allows by default, less 24 bytes that no string has; arguments to the number that no client needs. */
export const REQUEST_LIMITS: RequestLimits = { argumentBytes: 536_870_888, arguments: 1_048_576 };

/** Redis' limits for who has not authenticated yet. */
export const STRANGER_LIMITS: RequestLimits = { argumentBytes: 16_384, arguments: 10 };

const INLINE_BYTES = 65_536;
const NUMBER_BYTES = 12;

const CR = 13;
const LF = 10;
const STAR = 0x2a;
const DOLLAR = 0x24;

export class RequestFrame {
  /** Where the command begins. */
  start = 0;
  /** Behind what has been understood; behind the command once it is complete. */
  at = 0;
  /** How many arguments the command has, its name included; 0 for `*0` and an empty line. */
  count = 0;
  /** Begin and end of each argument. */
  offsets = new Int32Array(64);
  problem = '';

  #expected = -1;
  #found = 0;
  #bulk = -1;

  begin(at: number): void {
    this.start = at;
    this.at = at;
    this.#expected = -1;
    this.#found = 0;
    this.#bulk = -1;
  }

  /** The bytes were moved: everything found so far stands `by` bytes earlier. */
  shift(by: number): void {
    this.start -= by;
    this.at -= by;
    for (let index = 0; index < 2 * this.#found; index++) this.offsets[index]! -= by;
  }

  /** Whether what is missing reaches beyond `end`, so that reading again before is in vain. */
  missing(end: number): number {
    return this.#bulk < 0 ? 1 : this.at + this.#bulk + 2 - end;
  }

  parse(bytes: Uint8Array, end: number, limits: RequestLimits): FrameStatus {
    if (this.#expected < 0) {
      if (bytes[this.at] !== STAR) return this.#inline(bytes, end);
      const next = this.#number(bytes, this.at + 1, end);
      if (next <= 0) return next === 0 ? INCOMPLETE : this.#broken('invalid multibulk length');
      if (this.#value > limits.arguments) {
        const stranger = limits.arguments < REQUEST_LIMITS.arguments;
        return this.#broken(stranger ? 'unauthenticated multibulk length' : 'invalid multibulk length');
      }
      this.at = next;
      this.#expected = Math.max(0, this.#value);
    }
    while (this.#found < this.#expected) {
      if (this.#bulk < 0) {
        if (this.at === end) return INCOMPLETE;
        if (bytes[this.at] !== DOLLAR) {
          return this.#broken(`expected '$', got '${printable(bytes[this.at]!)}'`);
        }
        const next = this.#number(bytes, this.at + 1, end);
        if (next <= 0) return next === 0 ? INCOMPLETE : this.#broken('invalid bulk length');
        if (this.#value < 0 || this.#value > limits.argumentBytes) {
          const stranger = this.#value > 0 && limits.arguments < REQUEST_LIMITS.arguments;
          return this.#broken(stranger ? 'unauthenticated bulk length' : 'invalid bulk length');
        }
        this.#bulk = this.#value;
        this.at = next;
      }
      const behind = this.at + this.#bulk;
      if (behind + 2 > end) return INCOMPLETE;
      // Redis 7.0 passes over these two bytes unseen; who forwards bytes must not, or they would shift the next command.
      if (bytes[behind] !== CR || bytes[behind + 1] !== LF) return this.#broken('invalid CRLF in request');
      const place = 2 * this.#found;
      if (place === this.offsets.length) this.#grow();
      this.offsets[place] = this.at;
      this.offsets[place + 1] = behind;
      this.#found += 1;
      this.#bulk = -1;
      this.at = behind + 2;
    }
    this.count = this.#expected;
    return COMPLETE;
  }

  #value = 0;

  /** Reads a number and its CR LF into #value; returns the place behind, 0 where it is not complete, -1 where wrong. */
  #number(bytes: Uint8Array, from: number, end: number): number {
    let at = from;
    const negative = bytes[at] === 0x2d;
    if (negative) at += 1;
    const digits = at;
    let value = 0;
    for (; at < end; at++) {
      const byte = bytes[at]!;
      if (byte === CR) break;
      if (byte < 0x30 || byte > 0x39 || at - from > NUMBER_BYTES) return -1;
      value = value * 10 + byte - 0x30;
    }
    if (at + 1 >= end) return at - from > NUMBER_BYTES ? -1 : 0;
    // No leading zeros and no -0, as Redis has it: it would close the connection that others share.
    if (at === digits || bytes[at + 1] !== LF) return -1;
    if (bytes[digits] === 0x30 && (negative || at > digits + 1)) return -1;
    this.#value = negative ? -value : value;
    return at + 2;
  }

  #inline(bytes: Uint8Array, end: number): FrameStatus {
    const behind = bytes.indexOf(LF, this.at);
    if (behind < 0 || behind >= end) {
      return end - this.at > INLINE_BYTES ? this.#broken('too big inline request') : INCOMPLETE;
    }
    if (behind - this.at > INLINE_BYTES) return this.#broken('too big inline request');
    this.at = behind + 1;
    return INLINE;
  }

  #grow(): void {
    const larger = new Int32Array(2 * this.offsets.length);
    larger.set(this.offsets);
    this.offsets = larger;
  }

  #broken(what: string): FrameStatus {
    this.problem = `Protocol error: ${what}`;
    return BROKEN;
  }
}

function printable(byte: number): string {
  return byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '?';
}

/** Of a command that was whole, and understood, before: `bytes[start, end)`. */
export function frameOf(bytes: Uint8Array, start = 0, end = bytes.length): RequestFrame {
  const frame = new RequestFrame();
  frame.begin(start);
  frame.parse(bytes, end, REQUEST_LIMITS);
  return frame;
}

/** The text of an argument. */
export function wordAt(bytes: Buffer, { offsets }: RequestFrame): (index: number) => string {
  return (index) => bytes.toString('latin1', offsets[2 * index], offsets[2 * index + 1]);
}

/** Of all. */
export function wordsOf(bytes: Buffer, frame: RequestFrame): readonly string[] {
  const word = wordAt(bytes, frame);
  return Array.from({ length: frame.count }, (_, index) => word(index));
}
