/**
 * Finds where one reply of Redis ends, RESP2 or RESP3, without looking into it; goes on where it stopped when more has
 * come. A counter of values still missing stands for the nesting, so depth costs nothing.
 *
 * Tight: every reply passes here (`npm run bench -- proxy`).
 */
const CR = 13;

/** A length or an integer has at most 20 characters. */
const LONGEST_NUMBER = 32;

/** What `scan` says of what is no RESP. Less: a reply with pushes inside ends at the number without its sign. */
export const BROKEN = -1;

export class ReplyScanner {
  /** Values still missing; 0: a new reply begins. */
  #missing = 0;
  /** Whether a push stands inside, where Redis before 7.0 puts some: it is none of the values that are announced. */
  #hasPush = false;
  /** Where to go on, counted from the reply's begin. */
  #resume = 0;
  /** There is no line's end before that, counted like #resume: a line without end is not looked through again and again. */
  #lineEnd = 0;

  /** Of a string that is not complete: where it ends, counted like #resume; else 0. */
  #stringEnd = 0;

  /** After a 0: how many bytes more than `length` are missing at least. */
  missingBytes(length: number): number {
    return this.#stringEnd - length;
  }

  /**
   * The end of the reply that begins at `start`; 0 where it is not complete, BROKEN or less as said there.
   *
   * After a 0 the next call must begin with the same reply, wherever its bytes are then.
   */
  scan(bytes: Uint8Array, start: number, end: number): number {
    let missing = this.#missing;
    let at = start;
    let lineFrom = 0;
    let hasPush = false;
    if (missing === 0) {
      missing = 1;
    } else {
      hasPush = this.#hasPush;
      at += this.#resume;
      lineFrom = start + this.#lineEnd;
    }
    while (missing > 0) {
      const type = bytes[at];
      let line = at + 1;
      let value = 0;
      // All digits' bits. Another character has more than four, by itself or six further, or is negative; none leads backwards.
      let bits = 0;
      if (type === 0x24 || type === 0x3a || type === 0x2a) {
        // `$` `:` `*`: the line is short, and two of three need its number.
        for (; line < end; line++) {
          const byte = bytes[line]!;
          if (byte === CR) break;
          const digit = byte - 0x30;
          value = value * 10 + digit;
          bits |= digit | (digit + 6);
        }
      } else {
        if (line < lineFrom) line = lineFrom;
        while (line < end && bytes[line] !== CR) line += 1;
      }
      if (line + 1 >= end) {
        const isNumber = type === 0x24 || type === 0x3a || type === 0x2a;
        if (isNumber && line - at > LONGEST_NUMBER) return BROKEN;
        return this.#stop(missing, at - start, 0, line - start);
      }
      const behind = line + 2;
      switch (type) {
        case 0x2b: // +
        case 0x2d: // -
        case 0x3a: // :
        case 0x5f: // _
        case 0x23: // #
        case 0x2c: // ,
        case 0x28: // (
          at = behind;
          missing -= 1;
          break;
        case 0x24: // $
          if (bytes[at + 1] === 0x2d) {
            at = behind;
          } else {
            if (bits > 15 || bits < 0) return BROKEN;
            if (behind + value + 2 > end) return this.#stop(missing, at - start, behind + value + 2 - start);
            at = behind + value + 2;
          }
          missing -= 1;
          break;
        case 0x21: // !
        case 0x3d: {
          // =
          const length = numberOf(bytes, at + 1, line);
          if (behind + length + 2 > end) return this.#stop(missing, at - start, behind + length + 2 - start);
          at = behind + length + 2;
          missing -= 1;
          break;
        }
        case 0x2a: // *
          if (bytes[at + 1] === 0x2d) missing -= 1;
          else if (bits > 15 || bits < 0) return BROKEN;
          else missing += value - 1;
          at = behind;
          break;
        case 0x7e: // ~
          missing += numberOf(bytes, at + 1, line) - 1;
          at = behind;
          break;
        case 0x3e: // >
          missing += numberOf(bytes, at + 1, line);
          if (at === start) missing -= 1;
          else hasPush = this.#hasPush = true;
          at = behind;
          break;
        case 0x25: // %
          missing += 2 * numberOf(bytes, at + 1, line) - 1;
          at = behind;
          break;
        case 0x7c: // | stands before a value
          missing += 2 * numberOf(bytes, at + 1, line);
          at = behind;
          break;
        case undefined:
        default:
          return BROKEN;
      }
      if (Number.isNaN(missing + at)) return BROKEN;
    }
    this.#missing = 0;
    if (!hasPush) return at;
    this.#hasPush = false;
    return -at;
  }

  #stop(missing: number, resume: number, stringEnd = 0, lineEnd = 0): 0 {
    this.#missing = missing;
    this.#resume = resume;
    this.#lineEnd = lineEnd;
    this.#stringEnd = stringEnd;
    return 0;
  }
}

/** NaN where it is not a number. */
function numberOf(bytes: Uint8Array, from: number, to: number): number {
  let value = 0;
  for (let at = from; at < to; at++) {
    const digit = bytes[at]! - 0x30;
    if (digit < 0 || digit > 9) return Number.NaN;
    value = value * 10 + digit;
  }
  return value;
}
