import assert from 'node:assert/strict';
import { test } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { clusterThat } from './scripted-cluster.ts';
import { clientOf, proxyFor } from './servers.ts';

test('what a former primary refuses for now, after a redirection to its replica, goes there', async (t) => {
  const cluster = await clusterThat(t, 2, (words, node) => {
    if (!words.startsWith('SET k')) return undefined;
    if (node === 1) return '+OK\r\n';
    if (words !== 'SET k 1') return '-CLUSTERDOWN Hash slot not served\r\n';
    cluster.slots = [[0, 16_383, 1, 0]];
    return `-MOVED 7629 ${cluster.addressOf(1)}\r\n`;
  });
  cluster.slots = [[0, 16_383, 0, 1]];
  const { port, proxy, lines } = await proxyFor(t, cluster.plan());
  await eventually('both nodes', () => {
    const nodes = proxy.status()[0]?.nodes ?? [];
    return (nodes.length === 2 && nodes.every(({ state }) => state === 'fit')) || undefined;
  });
  const client = clientOf(t, port);
  client.socket.write('SET k 1\r\nSET k 2\r\n');
  await eventually('both replies', () => client.got() === '+OK\r\n+OK\r\n' || undefined, {
    seen: () => client.got(),
  });
  assert.deepEqual(cluster.askedOf(1), ['SET k 1', 'SET k 2']);
  const told = (): number => lines.filter((line) => line.includes('is a primary now')).length;
  await eventually('that it is told', () => told() === 1 || undefined, { seen: () => lines.join('') });
});
