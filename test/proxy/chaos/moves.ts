/**
 * LMOVE and BLMOVE from one list to the end of another, which is there for this one command only.
 */
import { write } from './node-keys.ts';
import { bulk, noArray, nothing } from './replies.ts';
import type { Command, NodeState, Talk } from './state.ts';

export const isMove = (name: string): boolean => name === 'LMOVE' || name === 'BLMOVE';

export const moveTo = (tag: string, token: number): string => `${tag}to${token}`;

/** undefined: it waits. */
export function move(node: NodeState, talk: Talk, command: Command): string | undefined {
  const { cluster, shard, isZombie } = node;
  const [name = '', from = '', to = '', , , seconds] = command.words;
  const list = isZombie ? undefined : cluster.lists.get(from);
  const element = list?.shift();
  if (element === undefined && name === 'LMOVE') return nothing(talk.protocol);
  if (element === undefined)
    return performance.now() < command.arrivedAt + Number(seconds) * 1_000
      ? undefined
      : noArray(talk.protocol);
  if (list?.length === 0) cluster.keys[shard]!.delete(from);
  cluster.touch(from, shard);
  const moved = cluster.lists.get(to) ?? [];
  cluster.lists.set(to, [...moved, element]);
  write(node, command, to, element, Number(/to(\d+)$/.exec(to)?.[1]), talk);
  return bulk(element);
}
