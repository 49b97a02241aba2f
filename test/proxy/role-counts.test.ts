import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import { Registry } from 'prom-client';

import { eventually } from '../../src/demo/eventually.ts';
import { createProxyMetrics } from '../../src/proxy/proxy-metrics.ts';
import type { Proxy } from '../../src/proxy/proxy.ts';
import { parseMetrics } from '../prometheus-text.ts';
import { clusterThat } from './scripted-cluster.ts';
import { clientOf, planTo, proxyFor, serverThat } from './servers.ts';

/** What is told of the node with that port, what is 0 left out. */
function countsOf(proxy: Proxy, metric: string, port: number): () => Promise<Record<string, number>> {
  const registry = new Registry();
  createProxyMetrics(registry, proxy);
  return async () => {
    const { samples = [] } = parseMetrics(await registry.metrics()).get(metric) ?? {};
    const ofNode = samples.filter(({ labels, value }) => labels['node']?.endsWith(`:${port}`) && value > 0);
    return Object.fromEntries(
      ofNode.map(({ labels, value }) => [`${labels['role']} ${labels['type']}`, value]),
    );
  };
}

async function twoNodesFor(t: TestContext) {
  const cluster = await clusterThat(t, 2, (words, node) => {
    if (words.startsWith('GET') || words.startsWith('LPOP')) return '-WRONGTYPE no\r\n';
    if (words === 'READONLY') return '+OK\r\n';
    if (!words.startsWith('SET')) return undefined;
    if (cluster.slots[0]![2] === node) return '+OK\r\n';
    return `-MOVED 15495 ${cluster.addressOf(1)}\r\n`;
  });
  cluster.slots = [[0, 16_383, 0, 1]];
  const { port, proxy } = await proxyFor(t, cluster.plan('REPLICA'));
  await eventually('both nodes', () => {
    const nodes = proxy.status()[0]?.nodes ?? [];
    return (nodes.length === 2 && nodes.every(({ state }) => state === 'fit')) || undefined;
  });
  const client = clientOf(t, port);
  const ask = async (command: string): Promise<void> => {
    const from = client.got().length;
    client.socket.write(`${command}\r\n`);
    await eventually(command, () => client.got().length > from || undefined);
  };
  return { cluster, proxy, ask };
}

for (const metric of ['redpilot_proxy_node_commands_total', 'redpilot_proxy_node_errors_total']) {
  test(`what was counted of a replica stays there when it is promoted (${metric})`, async (t) => {
    const { cluster, proxy, ask } = await twoNodesFor(t);
    const counts = countsOf(proxy, metric, cluster.nodes[1]!.port);
    await ask('GET a');
    await ask('GET a');
    assert.deepEqual(await counts(), { 'replica read': 2 });
    cluster.slots = [[0, 16_383, 1, 0]];
    // Whose redirection says so.
    await ask('SET a a');
    const before = { 'replica read': 2 };
    assert.deepEqual(await counts(), before);
    await ask('LPOP a');
    assert.deepEqual(await counts(), { ...before, 'primary write': 1 });
    // And back.
    cluster.slots = [[0, 16_383, 0, 1]];
    await eventually(
      'that it is a replica',
      async () => {
        const { nodes = [] } = proxy.status()[0] ?? {};
        return (
          nodes.some(({ address, role }) => address === cluster.addressOf(1) && role === 'replica') ||
          undefined
        );
      },
      { deadlineMs: 30_000 },
    );
    await ask('GET a');
    assert.deepEqual(await counts(), { 'replica read': 3, 'primary write': 1 });
  });
}

test('a node is told of in all that it was asked, whatever its role was', async (t) => {
  const { cluster, proxy, ask } = await twoNodesFor(t);
  await ask('GET a');
  cluster.slots = [[0, 16_383, 1, 0]];
  await ask('SET a a');
  await ask('LPOP a');
  const node = proxy.status()[0]?.nodes.find(({ address }) => address === cluster.addressOf(1));
  assert.deepEqual(
    [node?.role, node?.reads, node?.writes, node?.errors],
    ['primary', 1, 1, { read: 1, write: 1 }],
  );
});

test('what a server for reads was asked stays with the role that it said it had', async (t) => {
  let role = 'slave\r\nmaster_link_status:up';
  const redis = await serverThat(t, (words) => {
    if (words.startsWith('GET')) return '$1\r\nv\r\n';
    const info = `role:${role}\r\n`;
    return words.startsWith('INFO') ? `$${info.length}\r\n${info}\r\n` : '+PONG\r\n';
  });
  const place = { address: '127.0.0.1', port: redis.port };
  const { port, proxy } = await proxyFor(
    t,
    planTo(place.port, { upstream: place, reads: place, readPolicy: 'REPLICA' }),
    { maxLagMs: 5_000 },
  );
  const client = clientOf(t, port);
  const counts = countsOf(proxy, 'redpilot_proxy_node_commands_total', redis.port);
  const reader = () => proxy.status().find(({ id }) => id.startsWith('reads'))?.nodes[0];
  client.socket.write('GET a\r\n');
  await eventually('a reply', () => client.got() !== '' || undefined);
  assert.deepEqual(await counts(), { 'replica read': 1 });
  role = 'master';
  await eventually('that it is a primary', () => reader()?.role === 'primary' || undefined, {
    deadlineMs: 30_000,
  });
  client.socket.write('GET a\r\n');
  await eventually('another reply', () => client.got().split('v').length > 2 || undefined);
  assert.deepEqual(await counts(), { 'replica read': 1, 'primary read': 1 });
});

test('a server for reads that does not say what it is counts as a replica', async (t) => {
  const redis = await serverThat(t, (words) => (words.startsWith('INFO') ? '-NOPERM no\r\n' : '+PONG\r\n'));
  const place = { address: '127.0.0.1', port: redis.port };
  const { port, proxy } = await proxyFor(
    t,
    planTo(place.port, { upstream: place, reads: place, readPolicy: 'REPLICA' }),
  );
  const client = clientOf(t, port);
  client.socket.write('GET a\r\n');
  await eventually('a reply', () => client.got() !== '' || undefined);
  const counts = countsOf(proxy, 'redpilot_proxy_node_commands_total', redis.port);
  assert.deepEqual(await counts(), { 'replica read': 1 });
});
