/**
 * Which arguments of a command are keys.
 */
import type { KeySpec } from './command-spec.ts';

/** In any case. An argument may be as long as a string can be, and some letters are two in upper case. */
export function isKeyword(text: string, keyword: string): boolean {
  return text.length === keyword.length && text.toUpperCase() === keyword;
}

/** An argument's text. */
export type ArgumentAt = (index: number) => string;

/**
 * Indexes of the keys, ascending; `count` arguments in all, the command's name included. Where more keys are announced than
 * there are arguments, the first alone: Redis refuses that whatever their slots are, and says why.
 */
export function keyArguments(specs: readonly KeySpec[], count: number, argument: ArgumentAt): number[] {
  const found = new Set<number>();
  let isShort = false;
  for (const { begin, find } of specs) {
    const at = begin.kind === 'index' ? begin.index : indexBehind(begin.keyword, begin.from, count, argument);
    if (at === undefined || at >= count) continue;
    const keys = keysFrom(at, find, count, argument);
    isShort ||= find.kind === 'count' && keys.length < Number(argument(at + find.count));
    for (const index of keys) found.add(index);
  }
  const sorted = [...found].sort((a, b) => a - b);
  return isShort ? sorted.slice(0, 1) : sorted;
}

/** Of SORT: which arguments are patterns of other keys, as `BY weight_*` and `GET *` have them. */
export function sortPatterns(count: number, argument: ArgumentAt): number[] {
  const found: number[] = [];
  for (let at = 2; at < count; at++) {
    const word = argument(at);
    if (isKeyword(word, 'LIMIT')) at += 2;
    else if (isKeyword(word, 'STORE')) at += 1;
    else if ((isKeyword(word, 'BY') || isKeyword(word, 'GET')) && at + 1 < count) found.push(++at);
  }
  return found;
}

function keysFrom(at: number, find: KeySpec['find'], count: number, argument: ArgumentAt): readonly number[] {
  const keys: number[] = [];
  if (find.kind === 'count') {
    const announced = Number(argument(at + find.count));
    for (let index = at + find.first; keys.length < announced && index < count; index += find.step) {
      keys.push(index);
    }
    return keys;
  }
  // A limit of n: only the first n-th part of what is left are keys (XREAD STREAMS: half).
  const behind = find.limit > 1 ? at + Math.floor((count - at) / find.limit) : count;
  const last = find.last >= 0 ? at + find.last : behind + find.last;
  for (let index = at; index <= last && index < count; index += find.step) keys.push(index);
  return keys;
}

function indexBehind(keyword: string, from: number, count: number, argument: ArgumentAt): number | undefined {
  const step = from < 0 ? -1 : 1;
  for (let index = from < 0 ? count + from : from; index > 0 && index < count; index += step) {
    if (isKeyword(argument(index), keyword)) return index + 1;
  }
  return undefined;
}
