/**
 * A node is silent, and its slots are another's by then: which reads are asked of that one as well.
 */
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { test } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { clusterThat } from './scripted-cluster.ts';
import { clientOf, proxyFor } from './servers.ts';

/** That of `k`. */
const SLOT = 7629;

test('a read waits for what its client has written before, while another one is asked elsewhere', async (t) => {
  const waiting: Socket[] = [];
  const cluster = await clusterThat(t, 2, (words, node, socket) => {
    if (!/^[SG]ET k/.test(words)) return undefined;
    if (node === 1) return words.startsWith('GET') ? '$1\r\n0\r\n' : '+OK\r\n';
    waiting.push(socket);
    return undefined;
  });
  const { port, proxy } = await proxyFor(t, cluster.plan(), { failoverWaitMs: 20_000, hedgeAfterMs: 200 });
  await eventually('the topology', () => proxy.notReady() === undefined || undefined);
  const [writer, reader] = [clientOf(t, port), clientOf(t, port)];
  writer.socket.write('SET k 1\r\nGET k\r\n');
  await eventually('both at the first node', () => waiting.length === 2 || undefined);
  reader.socket.write('GET k\r\n');
  await eventually('all at the first node', () => waiting.length === 3 || undefined);
  // One that were no primary any more would be given up.
  cluster.slots = [
    [0, 0, 0],
    [1, 16_383, 1],
  ];
  await eventually("the reader's reply", () => reader.got() === '$1\r\n0\r\n' || undefined);
  // In its connection's order the writer's read was looked at before that of the reader.
  assert.deepEqual(cluster.askedOf(1), ['GET k']);
  waiting[0]?.write(`-MOVED ${SLOT} ${cluster.addressOf(1)}\r\n`.repeat(2));
  await eventually("the writer's replies", () => writer.got() === '+OK\r\n$1\r\n0\r\n' || undefined, {
    seen: () => writer.got(),
  });
  assert.deepEqual(cluster.askedOf(1), ['GET k', 'SET k 1', 'GET k']);
});
