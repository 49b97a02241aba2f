/**
 * XADD, XREADGROUP of one stream and XACK, as a scripted node has them: one group, in which one entry at a time is given to who
 * waits for it.
 */
import { append, take } from './elements.ts';
import { write } from './node-keys.ts';
import { array, bulk, integer } from './replies.ts';
import type { ClusterState, Command, NodeState, Talk } from './state.ts';

export const ADDED = ['*', 'e'] as const;

/** `token`: who asks for it. Behind the entry that is meant comes one that nobody has. */
export const acknowledging = (key: string, id: string, token: number): readonly string[] => [
  'XACK',
  key,
  'g',
  id,
  `${token}-1`,
];

/** Of whom its number is noted. */
export const ofAcknowledged = (key: string): string => `${key}ack`;

export function readingGroup(key: string, ms: number): readonly string[] {
  return ['XREADGROUP', 'GROUP', 'g', 'c', 'COUNT', '1', 'BLOCK', String(ms), 'STREAMS', key, '>'];
}

const given = ({ lists }: ClusterState, key: string): string[] => lists.get(`given of ${key}`) ?? [];

export function add(node: NodeState, command: Command): string {
  const [, key = '', , , element = ''] = command.words;
  append(node, command, key, element);
  return bulk(idOf(element));
}

const idOf = (element: string): string => `${element}-0`;

/** undefined: there is none. */
export function nextOfGroup(node: NodeState, talk: Talk, { words, asked }: Command): string | undefined {
  const { cluster } = node;
  const key = words.at(-2)!;
  const element = take(node, talk, key);
  if (element === undefined) return undefined;
  cluster.lists.set(`given of ${key}`, [...given(cluster, key), idOf(element)]);
  const entries = array([array([bulk(idOf(element)), array([bulk('e'), bulk(element)])])]);
  const name = bulk(asked.at(-2)!);
  return talk.protocol === 3 ? `%1\r\n${name}${entries}` : array([array([name, entries])]);
}

export function acknowledge(node: NodeState, command: Command): string {
  const [, key = '', , id = '', token = ''] = command.words;
  if (node.isZombie) return integer(1);
  const before = given(node.cluster, key);
  const after = before.filter((each) => each !== id);
  node.cluster.lists.set(`given of ${key}`, after);
  write(node, command, ofAcknowledged(key), id, Number.parseInt(token, 10));
  return integer(before.length - after.length);
}
