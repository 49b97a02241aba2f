/**
 * Addresses that can't be any, from what need not be Redis: they cost their own command, and not the proxy.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { clusterThat } from './scripted-cluster.ts';
import { clientOf, proxyFor } from './servers.ts';

/** Of the key `a`. */
const SLOT = 15_495;

for (const [what, redirection, wanted] of [
  ['port 99999', `MOVED ${SLOT} 127.0.0.1:99999`, undefined],
  ['port -1', `MOVED ${SLOT} 127.0.0.1:-1`, undefined],
  ['port 65536', `ASK ${SLOT} 127.0.0.1:65536`, undefined],
  ["another slot than the command's", 'MOVED 1 127.0.0.1:1', undefined],
  ['a host with a null byte', `MOVED ${SLOT} a\0b:6379`, '-no upstream host\r\n'],
] as const) {
  test(`a redirection that names ${what} ends with its command`, async (t) => {
    const reply = `-${redirection}\r\n`;
    const cluster = await clusterThat(t, 1, (words) => (words.startsWith('EVAL') ? reply : undefined));
    const { port, proxy } = await proxyFor(t, cluster.plan(), { failoverWaitMs: 300 });
    await eventually('the topology', () => proxy.notReady() === undefined || undefined);
    const client = clientOf(t, port);
    client.socket.write('EVAL x 1 a\r\n');
    await eventually('its reply', () => client.got().endsWith('\r\n') || undefined);
    assert.equal(client.got(), wanted ?? reply);
    // A script that says so was carried out.
    const times = cluster.askedOf(0).filter((words) => words.startsWith('EVAL')).length;
    if (wanted === undefined) assert.equal(times, 1);
  });
}

test('ASK without a name leads to the node at its port', async (t) => {
  const cluster = await clusterThat(t, 2, (words, node) => {
    if (words === 'ASKING') return '+OK\r\n';
    if (words !== 'SET a 1') return undefined;
    return node === 1 ? '+OK\r\n' : `-ASK ${SLOT} ?:${cluster.addressOf(1).split(':')[1]}\r\n`;
  });
  cluster.slots = [
    [0, SLOT, 0],
    [SLOT + 1, 16_383, 1],
  ];
  const { port, proxy } = await proxyFor(t, cluster.plan(), { failoverWaitMs: 500 });
  await eventually('the topology', () => proxy.notReady() === undefined || undefined);
  const client = clientOf(t, port);
  client.socket.write('SET a 1\r\n');
  await eventually('its reply', () => client.got() === '+OK\r\n' || undefined, { seen: () => client.got() });
  assert.deepEqual(cluster.askedOf(1), ['ASKING', 'SET a 1']);
});

const node = (place: string): string => `*1\r\n*3\r\n:0\r\n:16383\r\n${place}`;

for (const [what, said] of [
  ['numbers', '*1\r\n:1\r\n'],
  ['a node that is a number', node(':5\r\n')],
  ['port 99999', node('*2\r\n$9\r\n127.0.0.1\r\n:99999\r\n')],
  ['no port', node('*2\r\n$9\r\n127.0.0.1\r\n$-1\r\n')],
] as const) {
  test(`CLUSTER SLOTS that tells of ${what} counts as no answer, and a later one as one`, async (t) => {
    let isOdd = true;
    const cluster = await clusterThat(t, 1, (words) => {
      if (words.startsWith('SET')) return '+OK\r\n';
      return isOdd && words.toUpperCase() === 'CLUSTER SLOTS' ? said : undefined;
    });
    const { proxy, port, lines } = await proxyFor(t, cluster.plan());
    await eventually('a warning', () => lines.some((line) => line.includes('nobody says')) || undefined);
    isOdd = false;
    await eventually('the topology', () => proxy.notReady() === undefined || undefined);
    const client = clientOf(t, port);
    client.socket.write('SET a 1\r\n');
    await eventually('its reply', () => client.got() === '+OK\r\n' || undefined, {
      seen: () => client.got(),
    });
  });
}
