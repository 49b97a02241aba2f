import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { test } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { clusterThat } from './scripted-cluster.ts';
import { clientOf, proxyFor } from './servers.ts';

const info = (link: string, downSeconds: number): string => {
  const text = `role:slave\r\nmaster_link_status:${link}\r\nmaster_link_down_since_seconds:${downSeconds}\r\n`;
  return `$${text.length}\r\n${text}\r\n`;
};

test('a replica whose host was lost, and that came back empty elsewhere, is not trusted for what it was', async (t) => {
  /** Of what was there before: nobody says that they are gone. */
  let lost: ReadonlySet<Socket> = new Set();
  let isBack = false;
  const cluster = await clusterThat(t, 2, (words, node, socket) => {
    if (lost.has(socket)) return '';
    if (node === 1 && words.toUpperCase() === 'INFO REPLICATION')
      // As one says that has not had a link yet.
      return isBack ? info('down', -1) : info('up', 0);
    if (words === 'READONLY') return '+OK\r\n';
    if (words.startsWith('HELLO')) return '%0\r\n';
    if (words !== 'GET k') return undefined;
    return node === 1 && isBack ? '$-1\r\n' : '+its value\r\n';
  });
  cluster.slots = [[0, 16_383, 0, 1]];
  const { port, proxy } = await proxyFor(t, cluster.plan('PREFER_REPLICA'));
  const stateOf = (node: number): string | undefined =>
    proxy.status()[0]?.nodes.find(({ address }) => address === cluster.addressOf(node))?.state;
  await eventually('both', () => (stateOf(0) === 'fit' && stateOf(1) === 'fit') || undefined);
  lost = new Set(cluster.nodes[1]?.sockets);
  isBack = true;
  await eventually('that it is not as before', () => stateOf(1) !== 'fit' || undefined);
  const client = clientOf(t, port);
  client.socket.write('HELLO 3\r\n');
  await eventually('its greeting', () => client.got() !== '' || undefined);
  const greeting = client.got().length;
  let asked = 0;
  await eventually('what it says by another connection', () => {
    client.socket.write('GET k\r\n');
    asked += 1;
    return stateOf(1) === 'its link to the primary is down' || undefined;
  });
  const values = (): readonly string[] => client.got().slice(greeting).split('\r\n').slice(0, -1);
  await eventually('all values', () => values().length === asked || undefined);
  assert.deepEqual([...new Set(values())], ['+its value']);
});
