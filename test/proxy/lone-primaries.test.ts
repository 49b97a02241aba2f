import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import type { ReadPolicy } from '../../src/api/objects.ts';
import type { RoutingPlan } from '../../src/plan/routing-plan.ts';
import { eventually } from '../../src/demo/eventually.ts';
import type { Proxy } from '../../src/proxy/proxy.ts';
import { clusterThat, type ScriptedCluster } from './scripted-cluster.ts';
import { clientOf, proxyFor } from './servers.ts';

const NOBODY = '-no upstream host\r\n';

interface Lone {
  readonly cluster: ScriptedCluster;
  /** They hang up. */
  readonly dead: Set<number>;
  readonly proxy: Proxy;
  readonly lines: readonly string[];
  /** A read's answer: the node that gave it, or an error. */
  readonly read: () => Promise<string>;
  readonly asked: () => number;
}

/** One shard of a primary, node 0, without a replica. */
async function loneShard(t: TestContext, policy: ReadPolicy, failoverWaitMs: number): Promise<Lone> {
  const dead = new Set<number>();
  const cluster = await clusterThat(t, 2, (words, node, socket) => {
    if (dead.has(node)) {
      socket.destroy();
      return '';
    }
    if (words === 'READONLY') return '+OK\r\n';
    return words === 'GET k' ? `+${node}\r\n` : undefined;
  });
  const { proxy, port, lines } = await proxyFor(t, cluster.plan(policy), { failoverWaitMs });
  const client = clientOf(t, port);
  let seen = 0;
  const read = async (): Promise<string> => {
    client.socket.write('GET k\r\n');
    const answer = await eventually('an answer', () => client.got().slice(seen) || undefined);
    seen += answer.length;
    return answer;
  };
  const asked = (): number => proxy.status()[0]?.events['held'] ?? 0;
  return { cluster, dead, proxy, lines, read, asked };
}

const replicasOf = (proxy: Proxy): number | undefined => proxy.status()[0]?.shards?.[0]?.replicas.length;
const problemOf = (proxy: Proxy): string | undefined => proxy.status()[0]?.shards?.[0]?.problem;

test('a shard without a replica is told once where reads go to replicas only, and once that it has one', async (t) => {
  const { cluster, proxy, lines } = await loneShard(t, 'REPLICA', 1_000);
  await eventually('the problem', () => problemOf(proxy));
  assert.match(problemOf(proxy) ?? '', /^has no replica: reads under REPLICA fail there/);
  const questions = (): number =>
    cluster.nodes[0]?.asked.filter((words) => words.toUpperCase() === 'CLUSTER SLOTS').length ?? 0;
  const before = questions();
  await eventually('more maps', () => questions() >= before + 2 || undefined);
  const told = (what: string): number => lines.filter((line) => line.includes(what)).length;
  assert.equal(told(`the shard of ${cluster.addressOf(0)} has no replica`), 1);
  cluster.slots = [[0, 16_383, 0, 1]];
  await eventually('that it has one', () => told('has a replica again') || undefined);
  assert.equal(problemOf(proxy), undefined);
  assert.equal(told('has no replica'), 1);
});

test('nothing is told of it while primaries answer reads, too', async (t) => {
  const { cluster, proxy, lines, read } = await loneShard(t, 'PREFER_REPLICA', 1_000);
  const underPolicy = (plan: RoutingPlan, readPolicy: ReadPolicy): RoutingPlan => ({
    ...plan,
    listeners: plan.listeners.map((each) => ({ ...each, listener: { ...each.listener, readPolicy } })),
  });
  const plan = cluster.plan('PREFER_REPLICA');
  await proxy.update(plan);
  assert.equal(await read(), '+0\r\n');
  const started = performance.now();
  await eventually('more than the patience', () => performance.now() - started > 2_500 || undefined);
  assert.equal(problemOf(proxy), undefined);
  assert.equal(lines.join('').includes('has no replica'), false);
  await proxy.update(underPolicy(plan, 'REPLICA'));
  await eventually('the problem', () => problemOf(proxy));
  await proxy.update(plan);
  await eventually('its end', () => problemOf(proxy) === undefined || undefined);
});

test('a read that only replicas may answer waits for one that joins', async (t) => {
  const { cluster, proxy, read, asked } = await loneShard(t, 'REPLICA', 60_000);
  await eventually('the map', () => replicasOf(proxy) === 0 || undefined);
  const answer = read();
  await eventually('its waiting', () => asked() || undefined);
  cluster.slots = [[0, 16_383, 0, 1]];
  assert.equal(await answer, '+1\r\n');
});

test('once the wait is over reads fail at once, until a replica has joined; when it is lost they wait again', async (t) => {
  const waitMs = 4_000;
  const { cluster, dead, proxy, read, asked } = await loneShard(t, 'REPLICA', waitMs);
  await eventually('the map', () => replicasOf(proxy) === 0 || undefined);
  assert.equal(await read(), NOBODY);
  for (let count = 0; count < 3; count++) {
    const before = performance.now();
    assert.equal(await read(), NOBODY);
    const tookMs = performance.now() - before;
    assert.ok(tookMs < waitMs / 4, `${tookMs} ms`);
  }

  cluster.slots = [[0, 16_383, 0, 1]];
  await eventually('the replica', async () => (await read()) === '+1\r\n' || undefined);

  dead.add(1);
  for (const socket of cluster.nodes[1]?.sockets ?? []) socket.destroy();
  await eventually('its loss', () => proxy.status()[0]?.nodes.some(({ isUp }) => !isUp) || undefined);
  cluster.slots = [[0, 16_383, 0]];
  await eventually('the map without it', () => replicasOf(proxy) === 0 || undefined);
  const held = asked();
  const answer = read();
  await eventually('its waiting', () => asked() > held || undefined);
  dead.delete(1);
  cluster.slots = [[0, 16_383, 0, 1]];
  assert.equal(await answer, '+1\r\n');
});

test('after a failover that leaves no replica, reads wait for the former primary', async (t) => {
  const { cluster, dead, proxy, read, asked } = await loneShard(t, 'REPLICA', 4_000);
  await eventually('the map', () => replicasOf(proxy) === 0 || undefined);
  assert.equal(await read(), NOBODY);
  cluster.slots = [[0, 16_383, 0, 1]];
  await eventually('the replica', async () => (await read()) === '+1\r\n' || undefined);
  dead.add(0);
  for (const socket of cluster.nodes[0]?.sockets ?? []) socket.destroy();
  cluster.slots = [[0, 16_383, 1]];
  await eventually('the failover', () => {
    const [shard] = proxy.status()[0]?.shards ?? [];
    return (shard?.primary === cluster.addressOf(1) && shard.replicas.length === 0) || undefined;
  });
  const held = asked();
  const answer = read();
  await eventually('its waiting', () => asked() > held || undefined);
  dead.delete(0);
  cluster.slots = [[0, 16_383, 1, 0]];
  assert.equal(await answer, '+0\r\n');
});
