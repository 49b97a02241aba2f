/**
 * BLPOP and BLMPOP: of several lists, and of whom they wait for, as a scripted node has them; so XREADGROUP.
 */
import { take } from './elements.ts';
import { array, bulk, noArray } from './replies.ts';
import type { Command, NodeState, Talk } from './state.ts';
import { nextOfGroup } from './streams.ts';

const POPS = new Set(['BLPOP', 'BLMPOP', 'XREADGROUP']);

/** BLPOP key… seconds; BLMPOP seconds count key… LEFT; XREADGROUP … STREAMS key id. */
export function keysOfPop([name = '', ...args]: readonly string[]): readonly string[] {
  switch (name.toUpperCase()) {
    case 'BLPOP':
      return args.slice(0, -1);
    case 'BLMPOP':
      return args.slice(2, 2 + Number(args[1]));
    default:
      return args.slice(-2, -1);
  }
}

export const isPop = (name: string): boolean => POPS.has(name);

/** NaN: it does not. */
function waitsMs([name = '', ...args]: readonly string[]): number {
  switch (name.toUpperCase()) {
    case 'BLPOP':
      return Number(args.at(-1)) * 1_000;
    case 'BLMPOP':
      return Number(args[0]) * 1_000;
    default:
      return args.includes('BLOCK') ? Number(args[args.indexOf('BLOCK') + 1]) : NaN;
  }
}

/** undefined: it waits. */
export function pop(node: NodeState, talk: Talk, command: Command): string | undefined {
  const { words, arrivedAt } = command;
  const isOfGroup = words[0]?.toUpperCase() === 'XREADGROUP';
  const found = isOfGroup ? nextOfGroup(node, talk, command) : firstOf(node, talk, command);
  if (found !== undefined) return found;
  return performance.now() < arrivedAt + waitsMs(words) ? undefined : noArray(talk.protocol);
}

function firstOf(node: NodeState, talk: Talk, { words, asked }: Command): string | undefined {
  const { cluster, shard } = node;
  const isPlain = /^BLPOP$/i.test(words[0] ?? '');
  for (const [index, key] of keysOfPop(words).entries()) {
    const element = take(node, talk, key);
    if (element === undefined) continue;
    if (cluster.lists.get(key)?.length === 0) cluster.keys[shard]!.delete(key);
    const from = bulk(keysOfPop(asked)[index]!);
    return array([from, isPlain ? bulk(element) : array([bulk(element)])]);
  }
  return undefined;
}
