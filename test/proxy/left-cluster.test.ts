import assert from 'node:assert/strict';
import { test } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { HALVES, clusterThat } from './scripted-cluster.ts';
import { clientOf, planTo, proxyFor } from './servers.ts';

for (const [whose, to] of [
  ['another shard', 0],
  ['a new one', 2],
] as const) {
  test(`a node all of whose slots are ${whose} by now answers what it was asked before`, async (t) => {
    let speak: (() => void) | undefined;
    const cluster = await clusterThat(t, 5, (words, node, socket) => {
      if (node === 1 && words === 'SET k 1') speak = () => void socket.write('+OK\r\n');
      return undefined;
    });
    cluster.slots = [
      [0, 8_000, 1, 3],
      [8_001, 16_383, 0, 4],
    ];
    const { port, proxy } = await proxyFor(t, cluster.plan());
    await eventually('the topology', () => proxy.notReady() === undefined || undefined);
    const client = clientOf(t, port);
    client.socket.write('SET k 1\r\n');
    await eventually('the command', () => speak);
    cluster.slots = [
      [0, 8_000, to, 4],
      [8_001, 16_383, 0, 4],
    ];
    const address = cluster.addressOf(1);
    const isListed = (): boolean => proxy.status()[0]!.nodes.some((node) => node.address === address);
    await eventually('the new map', () => !isListed() || undefined);
    speak?.();
    await eventually('the reply', () => client.got() !== '' || undefined);
    assert.equal(client.got(), '+OK\r\n');
    await eventually('no connection being left', () => cluster.nodes[1]?.sockets.size === 0 || undefined);
  });
}

test('a read that it leaves unanswered is answered elsewhere, also where the plan changes meanwhile', async (t) => {
  const cluster = await clusterThat(t, 2, (words, node) => {
    if (!words.startsWith('GET')) return undefined;
    return node === 1 ? '' : '+OK\r\n';
  });
  cluster.slots = HALVES;
  const { port, proxy } = await proxyFor(t, cluster.plan());
  await eventually('the topology', () => proxy.notReady() === undefined || undefined);
  const client = clientOf(t, port);
  client.socket.write('GET b\r\nGET a\r\n');
  await eventually('the command', () => cluster.askedOf(1).includes('GET a') || undefined);
  cluster.slots = [[0, 16_383, 0]];
  await eventually('the new map', () => proxy.status()[0]?.nodes.length === 1 || undefined);
  await proxy.update(planTo(cluster.nodes[0]!.port));
  await eventually('the replies', () => client.got().length === 10 || undefined);
  assert.equal(client.got(), '+OK\r\n+OK\r\n');
});
