/**
 * What a replica does not have, while nobody has told that any slot is on its way.
 */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { clusterThat, type ScriptedCluster } from './scripted-cluster.ts';
import { clientOf, proxyFor, type Client } from './servers.ts';

const MISSING = '$-1\r\n';
const VALUE = '$5\r\nvalue\r\n';

/** A primary that has every key, its replica none. */
async function setUp(
  t: TestContext,
  server: string,
): Promise<{ readonly cluster: ScriptedCluster; readonly client: Client }> {
  let ports: readonly number[] = [];
  const cluster = await clusterThat(t, 2, (words, node) => {
    if (words.startsWith('GET')) return node === 0 ? VALUE : MISSING;
    const asked = words.toUpperCase();
    if (asked === 'INFO SERVER') return `$${server.length}\r\n${server}\r\n`;
    if (asked !== 'CLUSTER SLOTS') return undefined;
    return `*1\r\n*4\r\n:0\r\n:16383\r\n${ports.map((port) => `*2\r\n$9\r\n127.0.0.1\r\n:${port}\r\n`).join('')}`;
  });
  ports = cluster.nodes.map(({ port }) => port);
  const { port, proxy } = await proxyFor(t, cluster.plan('REPLICA'));
  await eventually('both nodes', () => {
    const nodes = proxy.status()[0]?.nodes ?? [];
    return (nodes.length === 2 && nodes.every(({ state }) => state === 'fit')) || undefined;
  });
  return { cluster, client: clientOf(t, port) };
}

test('a replica that is not told of moves does not decide that a key is missing', async (t) => {
  const { client } = await setUp(t, 'redis_version:7.0.15\r\n');
  client.socket.write('GET k\r\n');
  await eventually('the reply', () => client.got() === VALUE || undefined, { seen: () => client.got() });
});

test('no more than ten in a second are looked for twice', async (t) => {
  const { cluster, client } = await setUp(t, 'redis_version:7.0.15\r\n');
  const begin = performance.now();
  for (let sent = 1; sent <= 50; sent++) {
    client.socket.write('GET k\r\n');
    const replies = (): number => client.got().split('$').length - 1;
    await eventually('the reply', () => replies() === sent || undefined, { everyMs: 1 });
  }
  const twice = cluster.askedOf(0).filter((words) => words === 'GET k').length;
  const seconds = Math.ceil((performance.now() - begin) / 1_000) + 1;
  assert.ok(twice >= 10 && twice <= 10 * seconds, `${twice} of 50`);
});

test('a replica that is told of moves decides', async (t) => {
  const { cluster, client } = await setUp(t, 'redis_version:7.2.4\r\nvalkey_version:9.1.2\r\n');
  client.socket.write('GET k\r\n');
  await eventually('the reply', () => client.got() === MISSING || undefined, { seen: () => client.got() });
  assert.ok(!cluster.askedOf(0).includes('GET k'));
});
