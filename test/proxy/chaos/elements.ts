/**
 * Elements of lists and entries of streams, as a scripted node gives them out: each once.
 */
import { tokenIn, write } from './node-keys.ts';
import type { Command, NodeState, Talk } from './state.ts';

/** The first of them is somebody's. */
export function take(
  { cluster, shard, isZombie }: NodeState,
  { name }: Talk,
  key: string,
): string | undefined {
  const element = isZombie ? undefined : cluster.lists.get(key)?.shift();
  if (element === undefined) return undefined;
  cluster.touch(key, shard);
  cluster.ledger.popped(key, element, name);
  return element;
}

/** Returns how many there are. */
export function append(node: NodeState, command: Command, key: string, element: string): number {
  if (node.isZombie) return 1;
  const list = node.cluster.lists.get(key) ?? [];
  node.cluster.lists.set(key, list);
  list.push(element);
  write(node, command, key, `list ${element}`, tokenIn(element));
  return list.length;
}
