/**
 * Durations as objects write them ("1.5s", "1m30s"), in whole milliseconds.
 *
 * The form of Go's and protobuf's writers without sign, us and ns: what Kubernetes users type, at the precision that
 * timers have.
 */
import type { Parsed } from './parsed.ts';

const UNIT_MS: ReadonlyMap<string, number> = new Map([
  ['ms', 1],
  ['s', 1_000],
  ['m', 60_000],
  ['h', 3_600_000],
]);

/** 596 h: above 2^31 - 1, which is half an hour more, a timer of Node fires at once. */
const MAX_MS = 2_145_600_000;

const PART = /(\d+(?:\.\d+)?)(ms|s|m|h)/y;

/** Never throws. "0s" is a value: whether it makes sense is the field's business. */
export function parseDuration(text: string): Parsed<number> {
  let ms = 0;
  for (let at = 0; at < text.length; at = PART.lastIndex) {
    PART.lastIndex = at;
    const [, amount, unit] = PART.exec(text) ?? [];
    const unitMs = UNIT_MS.get(unit ?? '');
    if (unitMs === undefined) return { problem: notADuration(text) };
    ms += Number(amount) * unitMs;
  }
  if (text === '') return { problem: notADuration(text) };
  if (ms > MAX_MS) return { problem: `"${text}" is too long; write at most "596h" (24 days)` };
  return { value: Math.round(ms) };
}

function notADuration(text: string): string {
  const example = /^\d+(\.\d+)?$/.test(text) ? `${text}s` : '500ms';
  // Not where it begins like none: it may be meant for a field beside it, a password.
  const what = /^[-+.\d]|^$/.test(text) ? `"${text}"` : 'this text';
  return `${what} is not a duration; write a number and a unit (ms, s, m, h), for example ${example}`;
}
