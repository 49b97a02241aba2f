/**
 * A Redis Cluster whose nodes say what a test wants them to say; what it looks like they tell of themselves.
 */
import type { Socket } from 'node:net';
import type { TestContext } from 'node:test';

import type { ReadPolicy } from '../../src/api/objects.ts';
import { eventually } from '../../src/demo/eventually.ts';
import type { RoutingPlan } from '../../src/plan/routing-plan.ts';
import { planTo, proxyFor, serverThat, type Server } from './servers.ts';

export type Range = readonly [first: number, last: number, primary: number, ...replicas: number[]];

/** Of two nodes the first has b, and the other one a. */
export const HALVES: readonly Range[] = [
  [0, 8_191, 0],
  [8_192, 16_383, 1],
];

export interface ScriptedCluster {
  readonly nodes: readonly Server[];
  /** Which node has which slots, as all say. */
  slots: readonly Range[];
  /** With another one, all are other nodes at the same addresses. */
  generation: number;
  /** Those that say nothing any more. */
  readonly silent: Set<number>;
  readonly plan: (readPolicy?: ReadPolicy) => RoutingPlan;
  /** CLUSTER SLOTS, of a node that says otherwise. */
  readonly saying: (slots: readonly Range[]) => string;
  /** As a redirection names it. */
  readonly addressOf: (node: number) => string;
  /** What clients asked of it: without what the proxy asks for itself. */
  readonly askedOf: (node: number) => readonly string[];
}

const OF_THE_PROXY = /^(?:CLUSTER|PING$|INFO|READONLY$)/i;

/** `answer`: what is sent at once, undefined: nothing; of what the proxy asks for itself only where it is not undefined. */
export async function clusterThat(
  t: TestContext,
  count: number,
  answer: (words: string, node: number, socket: Socket) => string | undefined,
): Promise<ScriptedCluster> {
  const nodes: Server[] = [];
  const portOf = (node: number): number => nodes[node]?.port ?? 0;
  const placeOf = (node: number): string => {
    const id = `${portOf(node)} ${cluster.generation}`;
    return `*3\r\n$9\r\n127.0.0.1\r\n:${portOf(node)}\r\n$${id.length}\r\n${id}\r\n`;
  };
  const told = ([first, last, ...places]: Range): string =>
    `*${2 + places.length}\r\n:${first}\r\n:${last}\r\n${places.map(placeOf).join('')}`;
  const cluster: ScriptedCluster = {
    nodes,
    slots: [[0, 16_383, 0]],
    silent: new Set(),
    generation: 0,
    plan: (readPolicy = 'MASTER') => planTo(portOf(0), { mode: 'cluster', readPolicy }),
    saying: (slots) => `*${slots.length}\r\n${slots.map(told).join('')}`,
    addressOf: (node) => `127.0.0.1:${portOf(node)}`,
    askedOf: (node) => (nodes[node]?.asked ?? []).filter((words) => !OF_THE_PROXY.test(words)),
  };
  const OF_ITSELF: Readonly<Record<string, () => string>> = {
    PING: () => '+PONG\r\n',
    READONLY: () => '+OK\r\n',
    'CLUSTER SLOTS': () => cluster.saying(cluster.slots),
    'CLUSTER INFO': () => '$16\r\ncluster_state:ok\r\n',
    'CLUSTER NODES': () => '$0\r\n\r\n',
    'INFO REPLICATION': () => '$11\r\nrole:master\r\n',
  };
  for (let node = 0; node < count; node++) {
    const say = (words: string, socket: Socket): string | undefined => {
      if (cluster.silent.has(node)) return undefined;
      return answer(words, node, socket) ?? OF_ITSELF[words.toUpperCase()]?.();
    };
    nodes.push(await serverThat(t, say));
  }
  return cluster;
}

/** A cluster of halves, and a proxy that knows it. */
export async function proxyForHalves(
  t: TestContext,
  answer: (words: string, node: number) => string | undefined,
): Promise<{ readonly cluster: ScriptedCluster; readonly port: number }> {
  const cluster = await clusterThat(t, 2, answer);
  cluster.slots = HALVES;
  const { port, proxy } = await proxyFor(t, cluster.plan());
  await eventually('the topology', () => proxy.notReady() === undefined || undefined);
  return { cluster, port };
}
