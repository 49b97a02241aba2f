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
  const ofAll = talk.channels.size + talk.patterns.size;
  const count = setOf(talk, kind) === talk.shardChannels ? talk.shardChannels.size : ofAll;
  return pushed(talk, [bulk(kind), name, integer(count)]);
}

function setOf(talk: Talk, kind: string): Set<string> {
  if (kind === 'ssubscribe' || kind === 'sunsubscribe') return talk.shardChannels;
  return kind.startsWith('p') ? talk.patterns : talk.channels;
}

/** As patterns go that end with a star, or have none. */
function matches(pattern: string, channel: string): boolean {
  return pattern.endsWith('*') ? channel.startsWith(pattern.slice(0, -1)) : channel === pattern;
}

/** (S|P)SUBSCRIBE and (S|P)UNSUBSCRIBE. */
export function subscribe(talk: Talk, kind: string, names: readonly string[]): string {
  const channels = setOf(talk, kind);
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
      const kind = bulk(isSharded ? 'smessage' : 'message');
      const isHeard = (isSharded ? talk.shardChannels : talk.channels).has(channel);
      const patterns = isSharded ? [] : [...talk.patterns].filter((pattern) => matches(pattern, channel));
      if (isHeard) other.push(talk, pushed(talk, [kind, bulk(channel), bulk(message)]));
      for (const pattern of patterns)
        other.push(talk, pushed(talk, [bulk('pmessage'), ...[pattern, channel, message].map(bulk)]));
      if (other === node) count += patterns.length + (isHeard ? 1 : 0);
    }
  }
  return count;
}

/** What a primary tells its own subscribers of each write. */
export const EVENTS = '__keyevent@0__:set';

export function tellOfWrite(node: NodeState, key: string): void {
  for (const talk of node.talks) {
    if (talk.channels.has(EVENTS)) node.push(talk, pushed(talk, [bulk('message'), bulk(EVENTS), bulk(key)]));
  }
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
