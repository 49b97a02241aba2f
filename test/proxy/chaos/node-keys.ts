/**
 * Keys as a scripted node reads and writes them.
 */
import { tellOfWrite } from './messages.ts';
import { bulk, nothing } from './replies.ts';
import { stalledSince } from './stalls.ts';
import type { Command, NodeState, Talk } from './state.ts';

/** `v123xxx`, `123,`, `{tag}tok123`. */
export const tokenIn = (text: string): number => Number(/^(?:v|\{.*\}tok)?(\d+)/.exec(text)?.[1]);

export function read(node: NodeState, talk: Talk, key: string): string {
  const { cluster, isPrimary } = node;
  const { ledger } = cluster;
  node.readsOf.set(key, (node.readsOf.get(key) ?? 0) + 1);
  if (node.isEmpty && cluster.isPlain) {
    // There may have been no other.
    ledger.count('reads of servers without data');
    return nothing(talk.protocol);
  }
  if (node.isEmpty) {
    ledger.violation(`${node.name} was read from, which has no data: ${key} (${talk.name})`, [key]);
    return nothing(talk.protocol);
  }
  if ((talk.isReadonly || cluster.isPlain) && !isPrimary) ledger.count('replica reads');
  if (!cluster.keys[node.shard]!.has(key)) return nothing(talk.protocol);
  if (node.isZombie) ledger.count('reads of zombies');
  checkLag(node, key);
  const value =
    isPrimary || node.lagMs === 0
      ? ledger.value(key)
      : ledger.valueBefore(key, performance.now() - node.lagMs);
  return value === null ? nothing(talk.protocol) : bulk(value);
}

/** Where a node stops answering, or this process does, it shows a little later. */
const UNSEEN_MS = 500;

function checkLag({ cluster, isPrimary, name, lagMs }: NodeState, key: string): void {
  const { maxLagMs, ledger } = cluster;
  if (maxLagMs === undefined || isPrimary) return;
  const most = maxLagMs + UNSEEN_MS;
  if (lagMs > most && lagMs > most + stalledSince(performance.now() - lagMs))
    ledger.violation(`${name} was read from, which is ${Math.round(lagMs)} ms behind: ${key}`, [key]);
}

export function write(
  node: NodeState,
  { arrivedAt }: Command,
  key: string,
  value: string | null,
  token: number | undefined,
  talk?: Talk,
): void {
  const { cluster, shard, name } = node;
  // It is lost once it has got the data of the primary that it does not know yet.
  if (node.isZombie) return cluster.ledger.count('writes to zombies');
  if (value === null) cluster.keys[shard]!.delete(key);
  else cluster.keys[shard]!.add(key);
  cluster.touch(key, shard);
  cluster.ledger.count(`writes at a ${cluster.label}`);
  cluster.ledger.carriedOut(key, value, token, { node: name, arrivedAt, talk });
  tellOfWrite(node, key);
}
