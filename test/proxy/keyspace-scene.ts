/** Keyspace notifications of scripted nodes: two shards, each with a replica. */
import type { Socket } from 'node:net';
import type { TestContext } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import type { Proxy } from '../../src/proxy/proxy.ts';
import { clusterThat, type ScriptedCluster } from './scripted-cluster.ts';
import { array, clientOf, proxyFor, type Client } from './servers.ts';

export const EXPIRED = '__keyevent@0__:expired';
export const DELETED = '__keyevent@0__:del';
/** Two shards, each with a replica. */
export const BEFORE = [
  [0, 8_191, 0, 2],
  [8_192, 16_383, 1, 3],
] as const;

export const message = (channel: string, key: string): string => array('message', channel, bulk(key));
export const bulk = (text: string): string => `$${text.length}\r\n${text}`;

export const NOTHING_LEFT = '*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:0\r\n';

/** As Redis does, but for the counts. */
export function confirmation(words: string): string | undefined {
  const [kind = '', ...names] = words.split(' ');
  if (!/^p?(?:un)?subscribe$/.test(kind)) return undefined;
  return names.length === 0 ? NOTHING_LEFT : names.map((name) => array(kind, name, ':9')).join('');
}

interface Scene {
  readonly cluster: ScriptedCluster;
  readonly proxy: Proxy;
  readonly port: number;
  readonly client: Client;
  /** Each node, by clients. */
  readonly asked: () => readonly (readonly string[])[];
  /** How many connections have subscribed to anything. */
  readonly subscribers: () => number;
  /** To those of a node. */
  readonly tell: (node: number, text: string) => void;
}

export async function setUp(
  t: TestContext,
  answer: (words: string, node: number, socket: Socket) => string | undefined = confirmation,
): Promise<Scene> {
  const subscribed = new Map<Socket, number>();
  const cluster = await clusterThat(t, 4, (words, node, socket) => {
    if (words.includes('subscribe')) subscribed.set(socket, node);
    return answer(words, node, socket);
  });
  cluster.slots = BEFORE;
  const { proxy, port } = await proxyFor(t, cluster.plan());
  await eventually('the topology', () => proxy.notReady() === undefined || undefined);
  return {
    cluster,
    proxy,
    port,
    client: clientOf(t, port),
    asked: () => cluster.nodes.map((_, node) => cluster.askedOf(node)),
    subscribers: () => [...subscribed.keys()].filter(({ closed }) => !closed).length,
    tell: (node, text) => {
      for (const [socket, of] of subscribed) if (of === node) socket.write(text);
    },
  };
}

export async function got(client: Client, what: string): Promise<void> {
  await eventually('what the client gets', () => client.got() === what || undefined, {
    seen: () => JSON.stringify(client.got()),
  });
}
