/**
 * A script can answer in Redis' own words. Its client may have them; nobody else is to suffer.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { eventually } from '../../../src/demo/eventually.ts';
import { slotOf } from '../../../src/redis/slots.ts';
import { clusterThat, type ScriptedCluster } from '../scripted-cluster.ts';
import { clientOf, proxyFor, serverThat } from '../servers.ts';

const SLOT = slotOf(Buffer.from('k'), 0, 1);
const EVAL = 'EVAL s 1 k\r\n';
const LOADING = '-LOADING Redis is loading the dataset in memory\r\n';

test('a script that says the node is loading is asked ever less often, and nobody else waits', async (t) => {
  const cluster = await clusterThat(t, 1, (words) =>
    words.startsWith('EVAL') ? LOADING : words === 'SET k 1' ? '+OK\r\n' : undefined,
  );
  const { port, proxy } = await proxyFor(t, cluster.plan(), { failoverWaitMs: 2_000 });
  await eventually('the topology', () => proxy.notReady() === undefined || undefined);
  const states = new Set<string | undefined>();
  const [liar, other] = [clientOf(t, port), clientOf(t, port)];
  liar.socket.write(EVAL);
  await eventually('its reply', () => {
    states.add(proxy.status()[0]?.nodes[0]?.state);
    if (other.got().length === 0 && other.socket.bytesWritten === 0) other.socket.write('SET k 1\r\n');
    return liar.got() !== '' || undefined;
  });
  assert.equal(liar.got(), LOADING);
  assert.equal(other.got(), '+OK\r\n');
  assert.ok(!states.has('LOADING'));
  // Every 20 ms it would be a hundred.
  const times = cluster.askedOf(0).filter((words) => words.startsWith('EVAL')).length;
  assert.ok(times > 1 && times < 50, `asked ${times} times`);
});

for (const word of ['MOVED', 'ASK']) {
  test(`a script that says ${word} makes the proxy connect to no stranger`, async (t) => {
    const stranger = await serverThat(t, () => '+OK\r\n');
    const cluster = await clusterThat(t, 1, (words) =>
      words.startsWith('EVAL') ? `-${word} ${SLOT} 127.0.0.1:${stranger.port}\r\n` : undefined,
    );
    const { port, proxy } = await proxyFor(t, cluster.plan(), { failoverWaitMs: 300 });
    await eventually('the topology', () => proxy.notReady() === undefined || undefined);
    const client = clientOf(t, port);
    client.socket.write(EVAL);
    await eventually('its reply', () => client.got() !== '' || undefined);
    assert.match(client.got(), /^-/);
    assert.deepEqual(stranger.asked, []);
  });

  test(`a script that was sent on by ${word} is carried out by a node that has no slots yet`, async (t) => {
    const cluster: ScriptedCluster = await clusterThat(t, 2, (words, node) => {
      if (words === 'CLUSTER NODES') {
        const text = `id ${cluster.addressOf(1)}@1 master - 0 0 1 connected\n`;
        return `$${text.length}\r\n${text}\r\n`;
      }
      if (words === 'ASKING') return '+OK\r\n';
      if (!words.startsWith('EVAL')) return undefined;
      return node === 0 ? `-${word} ${SLOT} ${cluster.addressOf(1)}\r\n` : ':1\r\n';
    });
    const { port, proxy } = await proxyFor(t, cluster.plan(), { failoverWaitMs: 20_000 });
    await eventually('the topology', () => proxy.notReady() === undefined || undefined);
    const client = clientOf(t, port);
    client.socket.write(EVAL);
    await eventually('its reply', () => client.got() !== '' || undefined);
    assert.equal(client.got(), ':1\r\n');
  });
}

test('a script that takes its time at a node that has no slots yet is not cut off', async (t) => {
  let say = (): void => {};
  const cluster: ScriptedCluster = await clusterThat(t, 2, (words, node, socket) => {
    if (words === 'CLUSTER NODES') {
      const text = `id ${cluster.addressOf(1)}@1 master - 0 0 1 connected\n`;
      return `$${text.length}\r\n${text}\r\n`;
    }
    if (words === 'ASKING') return '+OK\r\n';
    if (!words.startsWith('EVAL')) return undefined;
    if (node === 0) return `-ASK ${SLOT} ${cluster.addressOf(1)}\r\n`;
    say = () => void socket.write(':1\r\n');
    return '';
  });
  const { port, proxy } = await proxyFor(t, cluster.plan(), { failoverWaitMs: 20_000 });
  await eventually('the topology', () => proxy.notReady() === undefined || undefined);
  const client = clientOf(t, port);
  client.socket.write(EVAL);
  await eventually('its being sent on', () => cluster.askedOf(1).length > 1 || undefined);
  const maps = (): number => cluster.nodes[0]!.asked.filter((words) => words === 'CLUSTER SLOTS').length;
  const before = maps();
  await eventually('the map', () => maps() > before + 2 || undefined);
  say();
  await eventually('its reply', () => client.got() !== '' || undefined);
  assert.equal(client.got(), ':1\r\n');
});

test("a script that says its slot has moved moves nobody else's keys", async (t) => {
  const cluster: ScriptedCluster = await clusterThat(t, 2, (words, node) => {
    if (words.startsWith('EVAL')) return node === 0 ? `-MOVED ${SLOT} ${cluster.addressOf(1)}\r\n` : ':1\r\n';
    return words === 'SET k 1' ? '+OK\r\n' : undefined;
  });
  cluster.slots = [
    [0, SLOT, 0],
    [SLOT + 1, 16_383, 1],
  ];
  const { port, proxy } = await proxyFor(t, cluster.plan());
  await eventually('the topology', () => proxy.notReady() === undefined || undefined);
  const client = clientOf(t, port);
  client.socket.write(EVAL);
  await eventually('its reply', () => client.got() === ':1\r\n' || undefined);
  client.socket.write('SET k 1\r\n');
  await eventually('the other reply', () => client.got() === ':1\r\n+OK\r\n' || undefined);
  assert.deepEqual(
    cluster.askedOf(0).filter((words) => words.startsWith('SET')),
    ['SET k 1'],
  );
});
