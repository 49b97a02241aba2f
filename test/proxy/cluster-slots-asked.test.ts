import assert from 'node:assert/strict';
import { test } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { clusterThat } from './scripted-cluster.ts';
import { clientOf, proxyFor } from './servers.ts';

test('of the keys in a slot its node tells, and of no slot any', async (t) => {
  const cluster = await clusterThat(t, 2, (words, node) => {
    if (words === 'CLUSTER COUNTKEYSINSLOT odd') return '-ERR Invalid slot\r\n';
    return words.startsWith('CLUSTER COUNT') ? `:${node}\r\n` : undefined;
  });
  cluster.slots = [
    [0, 8_191, 0],
    [8_192, 16_383, 1],
  ];
  const { port, proxy } = await proxyFor(t, cluster.plan());
  await eventually('the topology', () => proxy.notReady() === undefined || undefined);
  const client = clientOf(t, port);
  for (const slot of ['8191', '8192', 'odd']) client.socket.write(`CLUSTER COUNTKEYSINSLOT ${slot}\r\n`);
  const replies = ':0\r\n:1\r\n-ERR Invalid slot\r\n';
  await eventually('the replies', () => client.got().length >= replies.length || undefined);
  assert.equal(client.got(), replies);
});
