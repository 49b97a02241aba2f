import assert from 'node:assert/strict';
import { test } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { proxyForHalves } from './scripted-cluster.ts';
import { clientOf } from './servers.ts';

test('of the keys in a slot its node tells, and of no slot any', async (t) => {
  const { port } = await proxyForHalves(t, (words, node) => {
    if (/ (?:16384|odd)$/.test(words)) return '-ERR Invalid slot\r\n';
    return words.startsWith('CLUSTER COUNT') ? `:${node}\r\n` : undefined;
  });
  const client = clientOf(t, port);
  for (const slot of ['8191', '8192', '16384', 'odd'])
    client.socket.write(`CLUSTER COUNTKEYSINSLOT ${slot}\r\n`);
  const replies = `:0\r\n:1\r\n${'-ERR Invalid slot\r\n'.repeat(2)}`;
  await eventually('the replies', () => client.got().length >= replies.length || undefined);
  assert.equal(client.got(), replies);
});
