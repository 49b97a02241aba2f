import assert from 'node:assert/strict';
import { test } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { clusterThat } from './scripted-cluster.ts';
import { clientOf, proxyFor } from './servers.ts';

const info = (link: string): string => {
  const text = `role:slave\r\nmaster_link_status:${link}\r\nmaster_link_down_since_seconds:1\r\n`;
  return `$${text.length}\r\n${text}\r\n`;
};

test('a replica that was away is asked before it is read from, and is not trusted for what it was before', async (t) => {
  let link = 'up';
  const cluster = await clusterThat(t, 2, (words, node) => {
    if (node === 1 && words.toUpperCase() === 'INFO REPLICATION') return info(link);
    if (words === 'READONLY') return '+OK\r\n';
    return words === 'GET k' ? `+${node}\r\n` : undefined;
  });
  cluster.slots = [[0, 16_383, 0, 1]];
  const { port, proxy } = await proxyFor(t, cluster.plan('PREFER_REPLICA'));
  await eventually('both nodes', () => {
    const nodes = proxy.status()[0]?.nodes ?? [];
    return (nodes.length === 2 && nodes.every(({ state }) => state === 'fit')) || undefined;
  });
  const client = clientOf(t, port);
  const get = async (): Promise<string> => {
    const before = client.got().length;
    client.socket.write('GET k\r\n');
    return await eventually('the value', () => client.got().slice(before) || undefined);
  };
  assert.equal(await get(), '+1\r\n');
  // As it is for a moment where a node has started anew, and where a primary has just died.
  link = 'down';
  const questions = (): number => cluster.nodes[1]?.asked.filter((words) => words === 'PING').length ?? 0;
  const before = questions();
  for (const socket of cluster.nodes[1]?.sockets ?? []) socket.destroy();
  const values = new Set<string>();
  await eventually('its being asked again', async () => {
    values.add(await get());
    return questions() >= before + 3 || undefined;
  });
  assert.deepEqual([...values], ['+0\r\n']);
});
