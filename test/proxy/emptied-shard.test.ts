import assert from 'node:assert/strict';
import { test } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { slotOf } from '../../src/redis/slots.ts';
import { clusterThat } from './scripted-cluster.ts';
import { clientOf, proxyFor } from './servers.ts';

const COUNT = 20;

function keyOfSlot(slot: number): string {
  for (let number = 0; ; number++) {
    const key = Buffer.from(`${number}`);
    if (slotOf(key, 0, key.length) === slot) return key.toString();
  }
}

test('commands without a key do not wait for a shard whose last slot has just moved', async (t) => {
  let isMoving = false;
  const cluster = await clusterThat(t, 2, (words, node) => {
    // Nobody says what it looks like now.
    if (isMoving && words.startsWith('CLUSTER')) return '';
    if (words === 'TIME') return '+OK\r\n';
    if (!words.startsWith('GET')) return undefined;
    return node === 1 ? `-MOVED 0 ${cluster.addressOf(0)}\r\n` : '+OK\r\n';
  });
  cluster.slots = [
    [0, 0, 1],
    [1, 16_383, 0],
  ];
  const { port, proxy } = await proxyFor(t, cluster.plan(), { failoverWaitMs: 20_000 });
  await eventually('the topology', () => proxy.notReady() === undefined || undefined);
  isMoving = true;
  const client = clientOf(t, port);
  client.socket.write(`GET ${keyOfSlot(0)}\r\n`);
  await eventually('the redirection', () => client.got() !== '' || undefined);
  client.socket.write('TIME\r\n'.repeat(COUNT));
  await eventually('the replies', () => client.got().length === 5 * (COUNT + 1) || undefined);
  assert.equal(proxy.status()[0]?.events['held'], 0);
});
