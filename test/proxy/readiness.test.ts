import assert from 'node:assert/strict';
import { test } from 'node:test';

import { freePorts } from '../../src/demo/child-process.ts';
import { eventually } from '../../src/demo/eventually.ts';
import type { RoutingPlan } from '../../src/plan/routing-plan.ts';
import { mirrored } from './mirrored.ts';
import { clusterThat } from './scripted-cluster.ts';
import { planToServers } from './several-servers.ts';
import { clientOf, planTo, proxyFor, serverThat } from './servers.ts';

test('without a topology the proxy is not ready, and says who was asked and why nobody told', async (t) => {
  const [port = 0] = await freePorts(1);
  const { proxy } = await proxyFor(t, clusterPlanTo(port));
  const wanted = `the topology of 127.0.0.1:${port} is not known yet: nobody says what the cluster looks like (127.0.0.1:${port}: ECONNREFUSED)`;
  await eventually('the reason', () => proxy.notReady() === wanted || undefined, {
    seen: () => proxy.notReady() ?? 'ready',
  });
  assert.equal(proxy.status()[0]?.isReady, false);
});

test('a cluster none of whose nodes answers any more leaves the proxy ready, and is told', async (t) => {
  const cluster = await clusterThat(t, 2, () => undefined);
  const { proxy, lines } = await proxyFor(t, cluster.plan());
  await eventually('ready', () => proxy.notReady() === undefined || undefined);
  cluster.silent.add(0).add(1);
  const problem = (): string => proxy.status()[0]?.problem ?? '';
  await eventually('the problem', () => problem().startsWith('nobody says') || undefined, {
    seen: problem,
    deadlineMs: 20_000,
  });
  assert.equal(proxy.notReady(), undefined);
  assert.ok(lines.some((line) => line.includes('nobody says what the cluster looks like')));
  cluster.silent.clear();
  await eventually('no problem', () => problem() === '' || undefined, { seen: problem, deadlineMs: 20_000 });
  assert.ok(lines.some((line) => line.includes(': somebody says what the cluster looks like')));
});

test('a plain server that is down leaves the proxy ready', async (t) => {
  const [port = 0] = await freePorts(1);
  const { proxy } = await proxyFor(t, planTo(port));
  await eventually('ready', () => proxy.notReady() === undefined || undefined);
  await eventually('it is seen to be down', () => proxy.status()[0]?.nodes[0]?.isUp === false || undefined);
  assert.equal(proxy.notReady(), undefined);
});

test('a server that has not said yet whether it lets the proxy in is what the proxy waits for', async (t) => {
  let say = (): void => {};
  const redis = await serverThat(t, (_, socket) => {
    say = () => void socket.write('+PONG\r\n');
    return undefined;
  });
  const { proxy } = await proxyFor(t, planTo(redis.port));
  await eventually('the question', () => redis.asked.includes('PING') || undefined);
  assert.notEqual(proxy.notReady(), undefined);
  say();
  await eventually('ready', () => proxy.notReady() === undefined || undefined);
});

test('a list of servers that is empty is what the proxy waits for', async (t) => {
  const { proxy } = await proxyFor(t, planToServers({ kind: 'endpoints', endpoints: [] }));
  assert.match(proxy.notReady() ?? '', /^the topology of \S+ is not known yet: it has no servers$/);
  const redis = await serverThat(t, () => '+PONG\r\n');
  const endpoints = [{ address: '127.0.0.1', port: redis.port, hashKey: 'one' }];
  await proxy.update(planToServers({ kind: 'endpoints', endpoints }));
  await eventually('ready', () => proxy.notReady() === undefined || undefined);
  assert.equal(proxy.status()[0]?.problem, undefined);
});

test('a name without an address is what the proxy waits for', async (t) => {
  const plan = planTo(6_379, { upstream: { address: 'no-such-host.invalid', port: 6_379 } });
  const { proxy } = await proxyFor(t, plan);
  const wanted = /^the topology of \S+ is not known yet: no-such-host\.invalid has no address \(\w+\)$/;
  await eventually('the reason', () => wanted.test(proxy.notReady() ?? '') || undefined, {
    seen: () => proxy.notReady() ?? 'ready',
    deadlineMs: 30_000,
  });
});

test('an upstream of a later plan that nobody tells about leaves the proxy ready', async (t) => {
  const redis = await serverThat(t, () => '+PONG\r\n');
  const [port = 0] = await freePorts(1);
  const plan = planTo(redis.port);
  const { proxy } = await proxyFor(t, plan);
  await eventually('ready', () => proxy.notReady() === undefined || undefined);
  const upstreams = new Map([...plan.upstreams, ...clusterPlanTo(port).upstreams]);
  await proxy.update({ ...plan, upstreams });
  assert.equal(proxy.notReady(), undefined);
  const problem = (): string => proxy.status()[1]?.problem ?? '';
  await eventually('the problem', () => problem().includes('ECONNREFUSED') || undefined, { seen: problem });
});

test('a mirror whose topology nobody tells leaves the proxy ready', async (t) => {
  const redis = await serverThat(t, () => '+OK\r\n');
  const [port = 0] = await freePorts(1);
  const { proxy, port: own } = await proxyFor(t, mirrored(planTo(redis.port), clusterPlanTo(port)));
  await eventually('ready', () => proxy.notReady() === undefined || undefined);
  const client = clientOf(t, own);
  client.socket.write('SET k 1\r\nFLUSHALL\r\n');
  await eventually('the replies', () => client.got() === '+OK\r\n+OK\r\n' || undefined);
});

test('a mirror that does not let the proxy in leaves it ready', async (t) => {
  const redis = await serverThat(t, () => '+OK\r\n');
  const refusing = await serverThat(t, () => '-NOAUTH Authentication required.\r\n');
  const { proxy } = await proxyFor(t, mirrored(planTo(redis.port), planTo(refusing.port)));
  const mirror = (): string => proxy.status()[1]?.nodes[0]?.state ?? '';
  await eventually('its refusal', () => mirror().startsWith('does not let') || undefined, { seen: mirror });
  assert.equal(proxy.notReady(), undefined);
});

test('a cluster that wants another password is told with the remedy', async (t) => {
  const redis = await serverThat(t, () => '-NOAUTH Authentication required.\r\n');
  const { proxy } = await proxyFor(t, clusterPlanTo(redis.port));
  const wanted = /NOAUTH Authentication required; give the password that it wants/;
  await eventually('the reason', () => wanted.test(proxy.notReady() ?? '') || undefined, {
    seen: () => proxy.notReady() ?? 'ready',
  });
});

function clusterPlanTo(port: number): RoutingPlan {
  return planTo(port, { mode: 'cluster' });
}
