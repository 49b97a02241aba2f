/**
 * What a command that may wait does once there is something: the same without waiting, as Redis tells its replicas.
 */
import { isKeyword } from '../../redis/keys.ts';

interface Unblocked {
  readonly words: readonly string[];
  /** Which word is a key of its. */
  readonly key: number;
}

const ENDS: ReadonlyMap<string, readonly [one: string, ofSeveral: string, end: string]> = new Map([
  ['blpop', ['LPOP', 'LMPOP', 'LEFT']],
  ['brpop', ['RPOP', 'LMPOP', 'RIGHT']],
  ['bzpopmin', ['ZPOPMIN', 'ZMPOP', 'MIN']],
  ['bzpopmax', ['ZPOPMAX', 'ZMPOP', 'MAX']],
]);
const MOVES: ReadonlyMap<string, string> = new Map([
  ['blmove', 'LMOVE'],
  ['brpoplpush', 'RPOPLPUSH'],
]);
const POPS: ReadonlyMap<string, string> = new Map([
  ['blmpop', 'LMPOP'],
  ['bzmpop', 'ZMPOP'],
]);

/** `found`: the key that had something, where that is known. undefined: it leaves nothing to do. */
export function unblocked(words: readonly string[], found?: string): Unblocked | undefined {
  const [command = '', ...rest] = words;
  const name = command.toLowerCase();
  const pop = ENDS.get(name);
  if (pop !== undefined) {
    const [one, ofSeveral, end] = pop;
    const keys = found === undefined ? rest.slice(0, -1) : [found];
    if (keys.length === 1) return { words: [one, ...keys], key: 1 };
    return { words: [ofSeveral, String(keys.length), ...keys, end], key: 2 };
  }
  const move = MOVES.get(name);
  if (move !== undefined) return { words: [move, ...rest.slice(0, -1)], key: 1 };
  const pops = POPS.get(name);
  if (pops !== undefined) {
    const [, count = '', ...others] = rest;
    if (found === undefined) return { words: [pops, count, ...others], key: 2 };
    return { words: [pops, '1', found, ...others.slice(Number(count))], key: 2 };
  }
  if (name === 'xread' || name === 'xreadgroup') return withoutBlock(words);
  return undefined;
}

function withoutBlock(words: readonly string[]): Unblocked | undefined {
  const left: string[] = [];
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!;
    if (isKeyword(word, 'STREAMS')) return { words: [...left, ...words.slice(at)], key: left.length + 1 };
    if (isKeyword(word, 'GROUP')) {
      // Its names may be anything.
      left.push(...words.slice(at, at + 3));
      at += 2;
    } else if (isKeyword(word, 'BLOCK')) {
      // Said twice, the last time counts.
      at += 1;
    } else {
      left.push(word);
    }
  }
  return undefined;
}
