import assert from 'node:assert/strict';
import { test } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import type { Proxy } from '../../src/proxy/proxy.ts';
import { slotOf } from '../../src/redis/slots.ts';
import { clusterThat } from './scripted-cluster.ts';
import { clientOf, proxyFor, type Client, withOpTimeout } from './servers.ts';

const SLOT = slotOf(Buffer.from('k'), 0, 1);
const UNKNOWN =
  '-upstream failure: EXEC got no answer, so all of the transaction may have been carried out; look before you send it again\r\n';
const QUEUED = '+OK\r\n+QUEUED\r\n';

async function knows(proxy: Proxy): Promise<void> {
  await eventually('the topology', () => proxy.notReady() === undefined || undefined);
}

async function replies(client: Client, wanted: string, deadlineMs = 30_000): Promise<void> {
  await eventually('the replies', () => client.got().length >= wanted.length || undefined, {
    seen: () => client.got(),
    deadlineMs,
  });
  assert.equal(client.got(), wanted);
}

/** Queues what is asked of it, and says nothing to what waits or carries out. */
const silent = (words: string): string | undefined => {
  if (words === 'MULTI') return '+OK\r\n';
  return words.startsWith('SET') ? '+QUEUED\r\n' : undefined;
};

test('EXEC without an answer fails after opTimeout, and what follows is carried out', async (t) => {
  const cluster = await clusterThat(
    t,
    1,
    (words) => silent(words) ?? (words === 'GET k' ? '$1\r\nx\r\n' : undefined),
  );
  const { port, proxy } = await proxyFor(t, withOpTimeout(cluster.plan(), 300));
  await knows(proxy);
  const client = clientOf(t, port);
  client.socket.write('MULTI\r\nSET k 1\r\nEXEC\r\nGET k\r\n');
  await replies(client, `${QUEUED}${UNKNOWN}$1\r\nx\r\n`);
});

for (const [what, asked, wanted] of [
  ['a transaction is lost', 'MULTI\r\nSET k 1\r\nEXEC\r\n', `${QUEUED}${UNKNOWN}`],
  ['a blocking command goes on at the next', 'BLPOP k 0\r\n', '*-1\r\n'],
] as const) {
  test(`${what} where a silent node was replaced`, async (t) => {
    const cluster = await clusterThat(t, 2, (words, node) =>
      node === 1 && words === 'BLPOP k 0' ? '*-1\r\n' : silent(words),
    );
    cluster.slots = [
      [0, SLOT, 0],
      [SLOT + 1, 16_383, 1],
    ];
    const { port, proxy } = await proxyFor(t, cluster.plan());
    await knows(proxy);
    const client = clientOf(t, port);
    client.socket.write(asked);
    const last = asked.split('\r\n').at(-2);
    await eventually('the command', () => cluster.askedOf(0).includes(last ?? '') || undefined);
    cluster.silent.add(0);
    cluster.slots = [[0, 16_383, 1]];
    await replies(client, wanted);
  });
}

test('what a primary says late, once another one is in its place, counts for nobody', async (t) => {
  let speak: (() => void) | undefined;
  const cluster = await clusterThat(t, 2, (words, node, socket) => {
    if (words === 'GET k') return '$1\r\nx\r\n';
    if (node === 0 && words === 'SET k 1') speak = () => void socket.write('+OK\r\n');
    return undefined;
  });
  cluster.slots = [[0, 16_383, 0, 1]];
  const { port, proxy } = await proxyFor(t, cluster.plan());
  await knows(proxy);
  const client = clientOf(t, port);
  client.socket.write('SET k 1\r\n');
  const late = await eventually('the command', () => speak);
  cluster.silent.add(0);
  const stateOfFirst = (): string | undefined =>
    proxy.status()[0]?.nodes.find(({ address }) => address === cluster.addressOf(0))?.state;
  await eventually('its being silent', () => stateOfFirst() === 'it does not answer' || undefined);
  // It is listed as a replica: it will be one when it goes on.
  cluster.slots = [[0, 16_383, 1, 0]];
  // Whoever waits longer than that has been given up for its silence alone.
  const failure = '-upstream failure\r\n';
  await replies(client, failure, 20_000);
  late();
  client.socket.write('GET k\r\n');
  await replies(client, `${failure}$1\r\nx\r\n`);
});

test('a plan without the upstream lets a blocking command wait on, and then has done with it', async (t) => {
  let pop = (): void => {};
  const cluster = await clusterThat(t, 1, (words, _, socket) => {
    if (words.startsWith('BLPOP')) pop = () => void socket.write('*-1\r\n');
    return undefined;
  });
  const { port, proxy } = await proxyFor(t, cluster.plan());
  await knows(proxy);
  const client = clientOf(t, port);
  client.socket.write('BLPOP k 0\r\n');
  const [node] = cluster.nodes;
  await eventually('the command', () => node?.asked.includes('BLPOP k 0') || undefined);
  // Of the same content, but not the same.
  await proxy.update(cluster.plan());
  const asks = (): number => node?.asked.filter((words) => words === 'CLUSTER SLOTS').length ?? 0;
  const before = asks();
  await eventually('both asking on', () => asks() > before + 2 || undefined);
  pop();
  await replies(client, '*-1\r\n');
  await eventually('the end of the first', () => (node?.sockets.size ?? 0) <= 2 || undefined);
});

test('for a client that has gone no node is waited for', async (t) => {
  const cluster = await clusterThat(t, 1, () => undefined);
  // Nobody has the others.
  cluster.slots = [[0, SLOT - 1, 0]];
  const { port, proxy } = await proxyFor(t, cluster.plan(), { failoverWaitMs: 120_000 });
  await knows(proxy);
  const client = clientOf(t, port);
  client.socket.write('PING\r\nBLPOP k 0\r\n');
  await replies(client, '+PONG\r\n');
  client.socket.destroy();
  await proxy.update({ ...cluster.plan(), upstreams: new Map(), listeners: [] });
  await eventually('the end of the upstream', () => cluster.nodes[0]?.sockets.size === 0 || undefined);
});

test('a node that a redirection names is not given up because no map lists it yet', async (t) => {
  let answer: (() => void) | undefined;
  const cluster = await clusterThat(t, 2, (words, node, socket) => {
    if (words === 'ASKING') return '+OK\r\n';
    if (!words.startsWith('SET')) return undefined;
    if (node === 0) return `-ASK ${SLOT} ${cluster.addressOf(1)}\r\n`;
    answer = () => void socket.write('+OK\r\n');
    return undefined;
  });
  const { port, proxy } = await proxyFor(t, cluster.plan());
  await knows(proxy);
  const client = clientOf(t, port);
  client.socket.write('SET k 1\r\n');
  await eventually('the command', () => answer);
  const asked = cluster.nodes[0]?.asked ?? [];
  const maps = (): number => asked.filter((words) => words === 'CLUSTER SLOTS').length;
  const before = maps();
  await eventually('further maps', () => maps() > before + 2 || undefined);
  answer?.();
  await replies(client, '+OK\r\n');
});

test('a redirection to a node that is not there is tried again as long as any command waits', async (t) => {
  let isBack = false;
  const cluster = await clusterThat(t, 1, (words) => {
    if (!words.startsWith('SET')) return undefined;
    return isBack ? '+OK\r\n' : `-ASK ${SLOT} 127.0.0.1:1\r\n`;
  });
  const { port, proxy } = await proxyFor(t, cluster.plan(), { failoverWaitMs: 20_000 });
  await knows(proxy);
  const client = clientOf(t, port);
  client.socket.write('SET k 1\r\n');
  await eventually('more tries than hops', () => cluster.askedOf(0).length > 8 || undefined, {
    seen: () => client.got(),
  });
  isBack = true;
  await replies(client, '+OK\r\n');
  const late = await proxyFor(t, cluster.plan(), { failoverWaitMs: 300 });
  await knows(late.proxy);
  isBack = false;
  const other = clientOf(t, late.port);
  other.socket.write('SET k 1\r\n');
  await replies(other, '-no upstream host\r\n');
});
