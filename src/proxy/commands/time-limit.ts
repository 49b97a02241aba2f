/**
 * How long a command may wait, as it says itself, and the same command for what is left of that.
 */
import { isKeyword } from '../../redis/keys.ts';
import { frameOf, wordAt, type RequestFrame } from '../../redis/request-frame.ts';
import { encodeBulk } from '../wire/encode.ts';

/** In seconds, behind the keys or before them. */
const AT_END = /^(?:b[lr]pop|brpoplpush|blmove|bzpop(?:min|max))$/i;
const AT_BEGIN = /^b[lz]mpop$/i;
/** In milliseconds, behind BLOCK. */
const OF_STREAMS = /^xread(?:group)?$/i;

/** Redis 7.0 and Valkey 9.1 take fractions; less than a millisecond would be none, which is for ever. */
const LEAST_MS = 1;

interface Said {
  readonly frame: RequestFrame;
  /** Which argument says it. */
  readonly index: number;
  readonly unitMs: number;
}

/** Infinity: for ever, or Redis will say what is wrong with it; undefined: it is no command of Redis that waits for data. */
export function timeLimitMs(message: Buffer): number | undefined {
  const said = find(message);
  if (said === undefined) return undefined;
  const ms = Number(wordAt(message, said.frame)(said.index)) * said.unitMs;
  return ms > 0 ? ms : Infinity;
}

/** `ms`: at most what it says. */
export function withTimeLeft(message: Buffer, ms: number): Buffer {
  const said = find(message);
  if (said === undefined || ms === Infinity) return message;
  const { frame, index, unitMs } = said;
  const left = String(Math.max(LEAST_MS, Math.ceil(ms)) / unitMs);
  const [from, to] = [frame.offsets[2 * index - 1]! + 2, frame.offsets[2 * index + 1]! + 2];
  return Buffer.concat([message.subarray(0, from), encodeBulk(left), message.subarray(to)]);
}

function find(message: Buffer): Said | undefined {
  const frame = frameOf(message);
  const word = wordAt(message, frame);
  const name = word(0);
  if (AT_END.test(name)) return { frame, index: frame.count - 1, unitMs: 1_000 };
  if (AT_BEGIN.test(name)) return { frame, index: 1, unitMs: 1_000 };
  if (!OF_STREAMS.test(name)) return undefined;
  const index = argumentOfBlock(frame.count, word);
  return index === undefined ? undefined : { frame, index, unitMs: 1 };
}

/** Of XREAD and XREADGROUP, where it has one; the last counts, as Redis reads it. */
export function argumentOfBlock(count: number, word: (index: number) => string): number | undefined {
  let found: number | undefined;
  for (let index = 1; index < count; index++) {
    const text = word(index);
    if (isKeyword(text, 'STREAMS')) break;
    if (isKeyword(text, 'BLOCK')) found = index + 1;
    // Names, which may be anything.
    if (isKeyword(text, 'GROUP')) index += 2;
  }
  return found;
}
