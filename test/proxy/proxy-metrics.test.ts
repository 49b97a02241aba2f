import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { isDeepStrictEqual } from 'node:util';

import { AggregatorRegistry, Registry } from 'prom-client';

import { freePorts } from '../../src/demo/child-process.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { createProxyMetrics } from '../../src/proxy/proxy-metrics.ts';
import { parseMetrics, type Family } from '../prometheus-text.ts';
import { clusterThat } from './scripted-cluster.ts';
import { clientOf, planTo, proxyFor, serverThat } from './servers.ts';

const TIMES = 'redpilot_proxy_node_reply_seconds';

/** What is counted of a proxy whose Redis took `delaysMs` for its replies, one after the other. */
async function countedAfter(t: TestContext, delaysMs: readonly number[]): Promise<Registry> {
  const due = [...delaysMs];
  const redis = await serverThat(t, (words, socket) => {
    if (!words.startsWith('GET')) return '+PONG\r\n';
    setTimeout(() => socket.write('$1\r\nv\r\n'), due.shift());
    return undefined;
  });
  const { port, proxy } = await proxyFor(t, planTo(redis.port));
  const registry = new Registry();
  createProxyMetrics(registry, proxy);
  const client = clientOf(t, port);
  for (let count = 1; count <= delaysMs.length; count++) {
    client.socket.write('GET key\r\n');
    await eventually('a reply', () => client.got().split('v').length > count || undefined);
  }
  return registry;
}

function valueOf(family: Family | undefined, name: string, le?: string): number | undefined {
  return family?.samples.find((sample) => sample.name === `${TIMES}${name}` && sample.labels['le'] === le)
    ?.value;
}

test('what is counted keeps to the conventions of Prometheus', async (t) => {
  const registry = await countedAfter(t, [0]);
  const families = parseMetrics(await registry.metrics());
  assert.ok(families.size > 8);
  assert.equal(families.get(TIMES)?.type, 'histogram');
});

test('reply times are seconds, in buckets and all together', async (t) => {
  const registry = await countedAfter(t, [0, 300]);
  const times = parseMetrics(await registry.metrics()).get(TIMES);
  assert.equal(valueOf(times, '_count'), 2);
  // Whatever the machine adds, the second one took longer than that.
  assert.ok((valueOf(times, '_bucket', '0.256') ?? 2) < 2);
  const sum = valueOf(times, '_sum') ?? 0;
  assert.ok(sum >= 0.29 && sum < 60, `${sum}`);
});

test('reply times of several workers are added up', async (t) => {
  const registry = await countedAfter(t, [0]);
  const told = (): Promise<object[]> => registry.getMetricsAsJSON();
  // As it goes from process to process.
  const all = JSON.parse(JSON.stringify([await told(), await told()])) as object[][];
  const families = parseMetrics(await AggregatorRegistry.aggregate(all).metrics());
  assert.equal(valueOf(families.get(TIMES), '_count'), 2);
  assert.equal(valueOf(families.get(TIMES), '_bucket', '+Inf'), 2);
});

test('what a command that waits takes is no reply time', async (t) => {
  const redis = await serverThat(t, (words) => (words.startsWith('BLPOP') ? '*-1\r\n' : '+PONG\r\n'));
  const { port, proxy } = await proxyFor(t, planTo(redis.port));
  const client = clientOf(t, port);
  client.socket.write('BLPOP list 1\r\n');
  await eventually('a reply', () => client.got() !== '' || undefined);
  const counts = Object.values(proxy.status()[0]?.nodes[0]?.repliesWithinMs ?? {});
  assert.deepEqual(new Set(counts), new Set([0]));
});

test('that a node gets no commands is told', async (t) => {
  const [port = 0] = await freePorts(1);
  const { proxy } = await proxyFor(t, planTo(port));
  const registry = new Registry();
  createProxyMetrics(registry, proxy);
  await eventually('it is down', async () => {
    const { samples = [] } = parseMetrics(await registry.metrics()).get('redpilot_proxy_node_up') ?? {};
    const [{ labels, value } = {}] = samples;
    return (labels?.['node'] === `127.0.0.1:${port}` && value === 0) || undefined;
  });
});

test('commands for an upstream that nothing can be sent to count as failed', async (t) => {
  const plan = planTo(1);
  const [id = ''] = plan.upstreams.keys();
  const unavailable = { id, mode: 'unavailable', why: 'its password is not known' } as const;
  const { port, proxy } = await proxyFor(t, { ...plan, upstreams: new Map([[id, unavailable]]) });
  const client = clientOf(t, port);
  client.socket.write('GET a\r\nSET b 1\r\n');
  await eventually('the replies', () => client.got() === '-upstream failure\r\n'.repeat(2) || undefined);
  assert.equal(proxy.status()[0]?.events['failed'], 2);
});

test('a member of a cluster that has failed is down, though the map leaves it out', async (t) => {
  const members = [
    'a1 127.0.0.1:7001@17001 slave,fail b1 0 0 1 connected',
    'a2 127.0.0.1:7002@17002 master,fail - 0 0 1 connected',
    'a3 127.0.0.1:7003@17003 slave,fail? b1 0 0 1 connected',
    'a4 127.0.0.1:7004@17004 master - 0 0 1 connected',
  ].join('\n');
  const cluster = await clusterThat(t, 1, (words) =>
    words === 'CLUSTER NODES' ? `$${members.length}\r\n${members}\r\n` : undefined,
  );
  const { proxy } = await proxyFor(t, cluster.plan());
  const registry = new Registry();
  createProxyMetrics(registry, proxy);
  const down = async (): Promise<readonly string[]> => {
    const { samples = [] } = parseMetrics(await registry.metrics()).get('redpilot_proxy_node_up') ?? {};
    const found = samples.filter(({ value }) => value === 0);
    return found.map(({ labels }) => `${labels['node']} ${labels['role']}`);
  };
  const wanted = ['127.0.0.1:7001 replica', '127.0.0.1:7002 primary'];
  await eventually('both', async () => isDeepStrictEqual(await down(), wanted) || undefined);
});

test('that nobody says where to send what is told of its upstream', async (t) => {
  const redis = await serverThat(t, () => '+PONG\r\n');
  const [port = 0] = await freePorts(1);
  const plan = planTo(redis.port);
  const nowhere = planTo(port, { mode: 'cluster' });
  const { proxy } = await proxyFor(t, {
    ...plan,
    upstreams: new Map([...plan.upstreams, ...nowhere.upstreams]),
  });
  const registry = new Registry();
  createProxyMetrics(registry, proxy);
  const ups = async (): Promise<object> => {
    const { samples = [] } = parseMetrics(await registry.metrics()).get('redpilot_proxy_upstream_up') ?? {};
    return Object.fromEntries(samples.map(({ labels, value }) => [labels['upstream'], value]));
  };
  const wanted = { [`127.0.0.1:${redis.port}`]: 1, [`127.0.0.1:${port}`]: 0 };
  await eventually('both', async () => isDeepStrictEqual(await ups(), wanted) || undefined, {
    deadlineMs: 20_000,
  });
});
