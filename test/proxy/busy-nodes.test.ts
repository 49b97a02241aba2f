/**
 * Nodes that are busy with a script, and say so.
 */
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { test } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import type { Proxy } from '../../src/proxy/proxy.ts';
import type { Node } from '../../src/proxy/topology/node.ts';
import { ASKING } from '../../src/proxy/upstream/refusal.ts';
import { slotOf } from '../../src/redis/slots.ts';
import { clusterThat } from './scripted-cluster.ts';
import { BUSY, clientOf, planTo, proxyFor, serverThat } from './servers.ts';
import { TwoNodes } from './two-nodes.ts';

const SLOT = slotOf(Buffer.from('k'), 0, 1);

test('a read that a busy replica refuses is answered by another node', async (t) => {
  const cluster = await clusterThat(t, 2, (words, node) => {
    if (node === 1) return /^(?:GET|PING|INFO|CLUSTER)/i.test(words) ? BUSY : '+OK\r\n';
    if (words === 'READONLY') return '+OK\r\n';
    return words.startsWith('GET') ? '$1\r\nv\r\n' : undefined;
  });
  cluster.slots = [[0, 16_383, 0, 1]];
  const { port, proxy } = await proxyFor(t, cluster.plan('PREFER_REPLICA'));
  await eventually('the topology', () => proxy.notReady() === undefined || undefined);
  const client = clientOf(t, port);
  const value = '$1\r\nv\r\n';
  client.socket.write('GET k\r\n'.repeat(20));
  await eventually('the replies', () => client.got().length >= 20 * value.length || undefined);
  assert.equal(client.got(), value.repeat(20));
  const states = proxy.status()[0]?.nodes.map(({ state }) => state) ?? [];
  assert.ok(states.some((state) => state.startsWith('BUSY Redis is busy')));
});

test('a connection that a busy replica got is one for reads once it is not busy any more', async (t) => {
  let isBusy = false;
  const forReads = new WeakSet<Socket>();
  const cluster = await clusterThat(t, 2, (words, node, socket) => {
    if (node === 1 && isBusy) return BUSY;
    if (words === 'READONLY') forReads.add(socket);
    if (words === 'READONLY') return '+OK\r\n';
    if (!words.startsWith('GET')) return undefined;
    if (node === 0) return '+of the primary\r\n';
    return forReads.has(socket) ? '+of the replica\r\n' : `-MOVED ${SLOT} ${cluster.addressOf(0)}\r\n`;
  });
  cluster.slots = [[0, 16_383, 0, 1]];
  const { port, proxy } = await proxyFor(t, cluster.plan('REPLICA'), { failoverWaitMs: 30_000 });
  const states = (): string => (proxy.status()[0]?.nodes ?? []).map(({ state }) => state).join();
  await eventually('a replica', () => states() === 'fit,fit' || undefined, { seen: states });
  isBusy = true;
  const client = clientOf(t, port);
  client.socket.write('GET k\r\n');
  await eventually('the question', () => cluster.askedOf(1).includes('GET k') || undefined);
  isBusy = false;
  await eventually('the reply', () => client.got() !== '' || undefined);
  assert.equal(client.got(), '+of the replica\r\n');
});

for (const [what, answersPing] of [
  ['is known to be busy', BUSY],
  ['turns out to be busy', '+PONG\r\n'],
] as const) {
  test(`a write for a node that ${what} waits, and has its words when the time is up`, async (t) => {
    let isBusy = true;
    const redis = await serverThat(t, (words) => {
      if (!isBusy) return '+OK\r\n';
      if (words === 'SET c 1') isBusy = false;
      return words === 'PING' ? answersPing : BUSY;
    });
    const { port } = await proxyFor(t, planTo(redis.port), { failoverWaitMs: 500 });
    const [first, second] = [clientOf(t, port), clientOf(t, port)];
    first.socket.write('SET a 1\r\n');
    await eventually('its being busy', () => first.got() === BUSY || undefined, { seen: () => first.got() });
    second.socket.write('SET b 1\r\n');
    await eventually('its words', () => second.got() === BUSY || undefined, { seen: () => second.got() });

    const patient = await proxyFor(t, planTo(redis.port), { failoverWaitMs: 30_000 });
    const isKnown = answersPing === BUSY;
    const state = isKnown ? 'BUSY' : 'fit';
    await eventually(state, () => stateOf(patient.proxy).startsWith(state) || undefined);
    const third = clientOf(t, patient.port);
    const before = redis.asked.length;
    third.socket.write('SET c 1\r\nPING\r\n');
    if (isKnown) {
      await eventually('questions of the proxies', () => redis.asked.length > before + 4 || undefined);
      isBusy = false;
    }
    await eventually('the reply', () => third.got() === '+OK\r\n+PONG\r\n' || undefined, {
      seen: () => third.got(),
    });
    assert.equal(redis.asked.filter((words) => words === 'SET c 1').length, isKnown ? 1 : 2);
  });
}

test('a read that only a busy replica could answer has its words when the time is up', async (t) => {
  const cluster = await clusterThat(t, 2, (_, node) => (node === 1 ? BUSY : undefined));
  cluster.slots = [[0, 16_383, 0, 1]];
  const plain = await serverThat(t, () => '+PONG\r\n');
  const busy = await serverThat(t, () => BUSY);
  const reads = { address: '127.0.0.1', port: busy.port };
  for (const plan of [cluster.plan('REPLICA'), planTo(plain.port, { reads, readPolicy: 'REPLICA' })]) {
    const { port, proxy } = await proxyFor(t, plan, { failoverWaitMs: 300 });
    const states = (): string => JSON.stringify(proxy.status().map(({ nodes }) => nodes));
    await eventually('its being busy', () => states().includes('BUSY') || undefined, { seen: states });
    const client = clientOf(t, port);
    client.socket.write('GET k\r\n');
    await eventually('its words', () => client.got() === BUSY || undefined, { seen: () => client.got() });
  }
});

const WAITING: readonly (readonly [what: string, commands: string])[] = [
  ['a command that may wait', 'BLPOP queue 0\r\n'],
  ['the begin of a watch', 'WATCH k\r\n'],
  ['a transaction', 'MULTI\r\nSET k v\r\n'],
];
for (const [what, commands] of WAITING) {
  test(`${what} for a busy node has its words when the time is up`, async (t) => {
    const redis = await serverThat(t, () => BUSY);
    const { port, proxy } = await proxyFor(t, planTo(redis.port), { failoverWaitMs: 300 });
    await eventually('its being busy', () => stateOf(proxy).startsWith('BUSY') || undefined);
    const client = clientOf(t, port);
    client.socket.write(commands);
    await eventually('its words', () => client.got().endsWith(BUSY) || undefined, {
      seen: () => client.got(),
    });
  });
}

test('nobody has the words of a busy node that is gone', async (t) => {
  let isGone = false;
  const redis = await serverThat(t, (_, socket) => {
    if (isGone) socket.destroy();
    return BUSY;
  });
  const { port, proxy } = await proxyFor(t, planTo(redis.port), { failoverWaitMs: 300 });
  await eventually('its being busy', () => stateOf(proxy).startsWith('BUSY') || undefined);
  isGone = true;
  await eventually('its end', () => stateOf(proxy).startsWith('no connection') || undefined);
  const client = clientOf(t, port);
  client.socket.write('SET k v\r\n');
  await eventually('the reply', () => client.got() === '-no upstream host\r\n' || undefined, {
    seen: () => client.got(),
  });
});

test('a node that says it is busy is not taken for silent, though whose script it is gets no answer', async (t) => {
  const { port } = await serverThat(t, () => undefined);
  const upstream = new ToFirst({ hedgeAfterMs: 200, failoverWaitMs: 1_000 }, port, port);
  t.after(() => upstream.close());
  const { first, second } = upstream;
  for (const node of [first, second]) node.connection(0).append(null, ASKING, 0, ASKING.length);
  first.update({ unfit: 'BUSY Redis is busy running a script.' });
  upstream.tick(performance.now() + 1_000, false);
  assert.deepEqual([first.isSilent, second.isSilent], [false, true]);
});

class ToFirst extends TwoNodes {
  nodeFor(): Node {
    return this.first;
  }
}

function stateOf(proxy: Proxy): string {
  return proxy.status()[0]?.nodes[0]?.state ?? '';
}
