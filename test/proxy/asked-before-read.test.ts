import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { test } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { clusterThat } from './scripted-cluster.ts';
import { clientOf, proxyFor } from './servers.ts';

const SLOT_OF_K = 7629;

for (const policy of ['PREFER_MASTER', 'ANY'] as const) {
  test(`${policy}: what an old map calls a primary is not read from as a replica before it was asked`, async (t) => {
    const readonly = new Set<Socket>();
    // The first node is a replica by now, and empty; how it is it says too late.
    const cluster = await clusterThat(t, 2, (words, node, socket) => {
      if (node === 0 && words.toUpperCase() === 'INFO REPLICATION') return '';
      if (words === 'READONLY') {
        readonly.add(socket);
        return '+OK\r\n';
      }
      if (words !== 'GET k') return undefined;
      if (node === 1) return '+its value\r\n';
      return readonly.has(socket) ? '$-1\r\n' : `-MOVED ${SLOT_OF_K} ${cluster.addressOf(1)}\r\n`;
    });
    cluster.slots = [[0, 16_383, 0, 1]];
    const { port } = await proxyFor(t, cluster.plan(policy));
    const client = clientOf(t, port);
    client.socket.write('GET k\r\n'.repeat(3));
    await eventually('three replies', () => client.got().split('\r\n').length > 3 || undefined, {
      seen: () => client.got(),
    });
    assert.equal(client.got(), '+its value\r\n'.repeat(3));
  });
}

const INFO = 'role:slave\r\nmaster_link_status:up\r\n';
const OF_A_REPLICA: Readonly<Record<string, string>> = {
  PING: '+PONG\r\n',
  'INFO REPLICATION': `$${INFO.length}\r\n${INFO}\r\n`,
  'CLUSTER INFO': '$16\r\ncluster_state:ok\r\n',
  'CLUSTER NODES': '$0\r\n\r\n',
};

for (const [when, afterMs] of [
  ['at once', 0],
  ['a moment later', 100],
] as const) {
  test(`DBSIZE is not asked of what an old map calls a primary, which says ${when} that it is none`, async (t) => {
    const cluster = await clusterThat(t, 2, (words, node, socket) => {
      if (words === 'DBSIZE') return node === 1 ? ':5\r\n' : ':0\r\n';
      const said = node === 0 ? OF_A_REPLICA[words.toUpperCase()] : undefined;
      if (said === undefined) return undefined;
      setTimeout(() => {
        socket.write(said);
        if (said.includes(INFO)) cluster.slots = [[0, 16_383, 1, 0]];
      }, afterMs);
      return '';
    });
    cluster.slots = [[0, 16_383, 0, 1]];
    const { port } = await proxyFor(t, cluster.plan(), { failoverWaitMs: 20_000 });
    const client = clientOf(t, port);
    client.socket.write('DBSIZE\r\n');
    await eventually('a reply', () => client.got() !== '' || undefined);
    assert.equal(client.got(), ':5\r\n');
  });
}

test('while DBSIZE waits for a newer map it is asked for sooner than usual', async (t) => {
  const askedAt: number[] = [];
  const cluster = await clusterThat(t, 2, (words, node) => {
    if (node === 0 && words.toUpperCase() === 'CLUSTER SLOTS') askedAt.push(performance.now());
    return node === 0 ? OF_A_REPLICA[words.toUpperCase()] : undefined;
  });
  cluster.slots = [[0, 16_383, 0, 1]];
  const { port, proxy } = await proxyFor(t, cluster.plan(), { failoverWaitMs: 60_000 });
  const nodes = () => proxy.status()[0]?.nodes ?? [];
  await eventually(
    'both nodes',
    () => nodes().filter(({ state }) => state === 'fit').length === 2 || undefined,
  );
  clientOf(t, port).socket.write('DBSIZE\r\n');
  // The first two may be of before, and of its coming.
  const from = askedAt.length + 2;
  await eventually('a question half a second after another', () => {
    const pausesMs = askedAt.slice(from + 1).map((at, index) => at - askedAt[from + index]!);
    return pausesMs.some((ms) => ms < 500) || undefined;
  });
});
