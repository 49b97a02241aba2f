/**
 * BLPOP and BLMPOP: of several lists, and of whom they wait for, as a scripted node has them.
 */
import { array, bulk, noArray } from './replies.ts';
import type { Command, NodeState, Talk } from './state.ts';

/** BLPOP key… seconds; BLMPOP seconds count key… LEFT. */
export function keysOfPop([name = '', ...args]: readonly string[]): readonly string[] {
  return /^BLPOP$/i.test(name) ? args.slice(0, -1) : args.slice(2, 2 + Number(args[1]));
}

export const isPop = (name: string): boolean => name === 'BLPOP' || name === 'BLMPOP';

/** undefined: it waits. */
export function pop(node: NodeState, { protocol, name }: Talk, command: Command): string | undefined {
  const { words, asked, arrivedAt } = command;
  const { cluster, shard, isZombie } = node;
  const isPlain = /^BLPOP$/i.test(words[0] ?? '');
  const seconds = isPlain ? words.at(-1) : words[1];
  const keys = keysOfPop(words);
  for (const [index, key] of keys.entries()) {
    const list = isZombie ? undefined : cluster.lists.get(key);
    const element = list?.shift();
    if (element === undefined) continue;
    if (list?.length === 0) cluster.keys[shard]!.delete(key);
    cluster.touch(key, shard);
    cluster.ledger.popped(key, element, name);
    const from = bulk(keysOfPop(asked)[index]!);
    return array([from, isPlain ? bulk(element) : array([bulk(element)])]);
  }
  return performance.now() < arrivedAt + Number(seconds) * 1_000 ? undefined : noArray(protocol);
}
