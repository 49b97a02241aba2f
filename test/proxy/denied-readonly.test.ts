/**
 * Replicas whose user may not run READONLY: they send each read to their primary, which nobody would notice.
 */
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { test } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { clusterThat } from './scripted-cluster.ts';
import { clientOf, proxyFor } from './servers.ts';

const SLOT_OF_K = 7629;
const DENIED = "-NOPERM User proxy has no permissions to run the 'readonly' command\r\n";
const INFO = 'role:slave\r\nmaster_link_status:up\r\n';

test('a replica that is denied READONLY is told with the remedy, once, and read from when it is allowed', async (t) => {
  let isDenied = true;
  const readonly = new Set<Socket>();
  const cluster = await clusterThat(t, 2, (words, node, socket) => {
    if (node === 1 && words.toUpperCase() === 'INFO REPLICATION') return `$${INFO.length}\r\n${INFO}\r\n`;
    if (words === 'READONLY') {
      if (isDenied) return DENIED;
      readonly.add(socket);
      return '+OK\r\n';
    }
    if (words !== 'GET k') return undefined;
    if (node === 0) return '+of the primary\r\n';
    return readonly.has(socket) ? '+of the replica\r\n' : `-MOVED ${SLOT_OF_K} ${cluster.addressOf(0)}\r\n`;
  });
  cluster.slots = [[0, 16_383, 0, 1]];
  const { port, proxy, lines } = await proxyFor(t, cluster.plan('REPLICA'));
  const client = clientOf(t, port);
  const stateOf = (): string => proxy.status()[0]?.nodes[1]?.state ?? '';
  const told = (): readonly string[] => lines.filter((line) => line.includes('let its user run READONLY'));
  client.socket.write('GET k\r\n');
  await eventually('its state', () => stateOf().includes('let its user run READONLY') || undefined, {
    seen: stateOf,
  });
  const probes = (): number => cluster.nodes[1]?.asked.filter((words) => words === 'PING').length ?? 0;
  const before = probes();
  await eventually('two more probes', () => probes() > before + 1 || undefined);
  assert.equal(told().length, 1);
  assert.match(told()[0] ?? '', /sends reads to its primary \(NOPERM .*'readonly' command\); let its user/);
  assert.equal(client.got(), '+of the primary\r\n');

  isDenied = false;
  await eventually('fit', () => stateOf() === 'fit' || undefined, { seen: stateOf });
  client.socket.write('GET k\r\n');
  await eventually('the second reply', () => client.got().includes('of the replica') || undefined, {
    seen: () => client.got(),
  });
});
