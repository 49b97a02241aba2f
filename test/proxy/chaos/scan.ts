/**
 * SCAN as a scripted node has it: in an order of its own, so that a cursor means nothing to another node.
 */
import { array, bulk } from './replies.ts';
import type { NodeState } from './state.ts';

/** Above all places. */
const PLACES = 2 ** 20;

/** Where `key` stands at the node; never 0. */
function placeOf(key: string, { index }: NodeState): number {
  let sum = index * 7_919 + 1;
  for (const character of key) sum = (Math.imul(sum, 16_777_619) ^ character.charCodeAt(0)) >>> 0;
  return 1 + (sum % (PLACES - 1));
}

/** SCAN cursor [COUNT count]. */
export function scan(node: NodeState, [, cursor = '0', , count = '10']: readonly string[]): string {
  const { cluster, shard, isEmpty, isPrimary } = node;
  cluster.ledger.count(isPrimary ? 'scans' : 'scans of replicas');
  const from = Number(cursor);
  const there = [...(isEmpty ? [] : cluster.keys[shard]!)]
    .map((key) => ({ key, place: placeOf(key, node) }))
    .filter(({ place }) => place >= from)
    .sort((a, b) => a.place - b.place);
  const last = there[Math.min(there.length, Number(count)) - 1]?.place ?? 0;
  const next = there.find(({ place }) => place > last)?.place ?? 0;
  const keys = there.filter(({ place }) => place <= last).map(({ key }) => bulk(key));
  return array([bulk(String(next)), array(keys)]);
}
