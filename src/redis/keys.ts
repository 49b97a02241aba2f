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

/** Indexes of the keys, ascending; `count` arguments in all, the command's name included. */
export function keyArguments(specs: readonly KeySpec[], count: number, argument: ArgumentAt): number[] {
  const found = new Set<number>();
  for (const { begin, find } of specs) {
    const at = begin.kind === 'index' ? begin.index : indexBehind(begin.keyword, begin.from, count, argument);
    if (at === undefined || at >= count) continue;
    for (const index of keysFrom(at, find, count, argument)) found.add(index);
  }
  return [...found].sort((a, b) => a - b);
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
