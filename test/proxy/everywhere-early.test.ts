import assert from 'node:assert/strict';
import { test } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { clusterThat } from './scripted-cluster.ts';
import { clientOf, proxyFor } from './servers.ts';

for (const [command, wanted] of [
  ['DBSIZE', ':3\r\n'],
  ['WAIT 1 0', ':0\r\n'],
] as const) {
  test(`${command} before the topology is known is of all shards`, async (t) => {
    let isKnown = false;
    const cluster = await clusterThat(t, 3, (words, node) => {
      if (words === 'CLUSTER SLOTS' && !isKnown) return '-LOADING Redis is loading the dataset in memory\r\n';
      if (words === 'DBSIZE') return ':1\r\n';
      return words.startsWith('WAIT') ? `:${2 - node}\r\n` : undefined;
    });
    cluster.slots = [
      [0, 1_000, 0],
      [1_001, 2_000, 1],
      [2_001, 16_383, 2],
    ];
    const { port } = await proxyFor(t, cluster.plan(), { failoverWaitMs: 60_000 });
    const client = clientOf(t, port);
    client.socket.write(`PING\r\n${command}\r\n`);
    await eventually('its being looked at', () => client.got() === '+PONG\r\n' || undefined);
    isKnown = true;
    await eventually('the reply', () => client.got().length > 7 || undefined);
    assert.equal(client.got(), `+PONG\r\n${wanted}`);
  });
}

test('what concerns all shards is refused where none is known in time', async (t) => {
  const cluster = await clusterThat(t, 1, (words) =>
    words === 'CLUSTER SLOTS' ? '-LOADING Redis is loading the dataset in memory\r\n' : undefined,
  );
  const { port } = await proxyFor(t, cluster.plan(), { failoverWaitMs: 50 });
  const client = clientOf(t, port);
  client.socket.write('FLUSHALL\r\n');
  await eventually('the reply', () => client.got() === '-no upstream host\r\n' || undefined);
});
