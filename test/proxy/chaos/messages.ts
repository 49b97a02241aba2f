/**
 * Subscriptions and messages of scripted nodes: all nodes tell each other of what is published, at once.
 */
import { array, bulk, integer } from './replies.ts';
import { slotOfKey, type NodeState, type Talk } from './state.ts';

const nobody = (protocol: number): string => (protocol === 3 ? '_\r\n' : '$-1\r\n');

/** A message or a confirmation, as RESP3 or RESP2 has it. */
function pushed({ protocol }: Talk, items: readonly string[]): string {
  const text = array(items);
  return protocol === 3 ? `>${text.slice(1)}` : text;
}

function confirmed(talk: Talk, kind: string, channel: string | undefined): string {
  const name = channel === undefined ? nobody(talk.protocol) : bulk(channel);
  const count = kind.startsWith('s') && kind !== 'subscribe' ? talk.shardChannels.size : talk.channels.size;
  return pushed(talk, [bulk(kind), name, integer(count)]);
}

/** (S)SUBSCRIBE and (S)UNSUBSCRIBE. */
export function subscribe(talk: Talk, kind: string, names: readonly string[]): string {
  const channels = kind === 'ssubscribe' || kind === 'sunsubscribe' ? talk.shardChannels : talk.channels;
  const isLeaving = kind.includes('un');
  const asked: readonly (string | undefined)[] = names.length > 0 ? names : [...channels];
  const all = asked.length > 0 ? asked : [undefined];
  return all
    .map((channel) => {
      if (channel !== undefined && isLeaving) channels.delete(channel);
      else if (channel !== undefined) channels.add(channel);
      return confirmed(talk, kind, channel);
    })
    .join('');
}

/** Returns how many got it at `node`. */
export function publish(node: NodeState, channel: string, message: string, isSharded: boolean): number {
  let count = 0;
  for (const other of node.cluster.nodes) {
    if (isSharded && other.shard !== node.shard) continue;
    for (const talk of other.talks) {
      if (!(isSharded ? talk.shardChannels : talk.channels).has(channel)) continue;
      const kind = bulk(isSharded ? 'smessage' : 'message');
      other.push(talk, pushed(talk, [kind, bulk(channel), bulk(message)]));
      if (other === node) count += 1;
    }
  }
  return count;
}

/** Whoever has shard channels of slots that are no longer this node's is told so. */
export function endMoved(node: NodeState): void {
  for (const talk of node.talks) {
    for (const channel of talk.shardChannels) {
      const isMine = node.view.owners[slotOfKey(channel)] === node.shard;
      if (isMine && node.isPrimary) continue;
      talk.shardChannels.delete(channel);
      node.push(talk, confirmed(talk, 'sunsubscribe', channel));
    }
  }
}
