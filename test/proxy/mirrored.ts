/**
 * What goes one way, with copies that go another.
 */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import type { Mirror, RoutingPlan } from '../../src/plan/routing-plan.ts';
import type { Proxy } from '../../src/proxy/proxy.ts';
import { clusterThat } from './scripted-cluster.ts';
import { clientOf, planTo, proxyFor, serverThat } from './servers.ts';

export function mirrored(
  main: RoutingPlan,
  copies: RoutingPlan,
  more: Partial<Omit<Mirror, 'upstream'>> = {},
): RoutingPlan {
  const [upstream = assert.fail()] = copies.upstreams.values();
  const mirrors = [{ upstream: 'mirror', percentage: 100, excludeReads: false, ...more }];
  return {
    upstreams: new Map([...main.upstreams, ['mirror', { ...upstream, id: 'mirror' }]]),
    listeners: main.listeners.map(({ bind, listener }) => {
      const { catchAll = assert.fail() } = listener.routes;
      return {
        bind,
        listener: { ...listener, routes: { ...listener.routes, catchAll: { ...catchAll, mirrors } } },
      };
    }),
  };
}

const REPLIES: Readonly<Record<string, string>> = {
  KEYS: '*0\r\n',
  DBSIZE: ':0\r\n',
  PUBLISH: ':0\r\n',
  RANDOMKEY: '$-1\r\n',
  CONFIG: '*0\r\n',
  SCAN: '*2\r\n$1\r\n0\r\n*0\r\n',
  EXEC: '*1\r\n+OK\r\n',
  BLPOP: '*2\r\n$1\r\nk\r\n$1\r\nv\r\n',
  BRPOPLPUSH: '$-1\r\n',
};
export const answer = (words: string): string | undefined =>
  /^(?:CLUSTER|INFO|PING)/i.test(words) ? undefined : (REPLIES[words.split(' ')[0] ?? ''] ?? '+OK\r\n');

/** It reaches every node of a mirror, behind all else. */
const LAST = 'SCRIPT LOAD last';

/** A proxy is ready without its mirrors. */
export async function knowsAll(proxy: Proxy): Promise<void> {
  await eventually('all topologies', () => proxy.status().every(({ isReady }) => isReady) || undefined);
}

interface Setting extends Partial<Omit<Mirror, 'upstream'>> {
  /** The mirror is a cluster of two shards, the first with a replica; else one server. */
  readonly isOfCluster?: boolean;
  readonly change?: (plan: RoutingPlan) => RoutingPlan;
}

/** What of `commands`, asked at once, comes to each node of a mirror; `replies`: what has come to the client by now. */
export async function copied(
  t: TestContext,
  from: RoutingPlan,
  commands: readonly string[],
  { isOfCluster = true, change = (plan) => plan, ...more }: Setting = {},
): Promise<{ readonly replies: () => string; readonly copies: readonly (readonly string[])[] }> {
  const cluster = await clusterThat(t, 3, answer);
  if (isOfCluster) {
    cluster.slots = [
      [0, 10_000, 0, 2],
      [10_001, 16_383, 1],
    ];
  }
  const to = isOfCluster ? cluster.plan() : planTo(cluster.nodes[0]?.port ?? 0);
  const { port, proxy } = await proxyFor(t, change(mirrored(from, to, more)));
  await knowsAll(proxy);
  const client = clientOf(t, port);
  const nodes = isOfCluster ? [0, 1, 2] : [0];
  const asked = (): string[][] => nodes.map((node) => [...cluster.askedOf(node)]);
  // A mirror of half gets the first of many, too.
  const last = Array.from({ length: more.percentage === undefined ? 1 : 64 }, () => LAST);
  client.socket.write([...commands, ...last].map((command) => `${command}\r\n`).join(''));
  await eventually('the last copy', () => asked().every((words) => words.includes(LAST)) || undefined, {
    seen: () => `${client.got()} ${JSON.stringify(asked())}`,
  });
  return {
    replies: () => client.got(),
    copies: asked().map((words) => words.filter((word) => word !== LAST)),
  };
}

/** Where commands go. */
export async function aServer(t: TestContext): Promise<RoutingPlan> {
  const { port } = await serverThat(t, (words) => answer(words) ?? '+PONG\r\n');
  return planTo(port);
}
