import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { test, type TestContext } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { clusterThat } from './scripted-cluster.ts';
import { BUSY, clientOf, proxyFor } from './servers.ts';

const COUNT = 50;

/** `answer`: to a message. */
async function setUp(t: TestContext, answer: Parameters<typeof clusterThat>[2] = () => ':0\r\n') {
  const cluster = await clusterThat(t, 3, (words, node, socket) =>
    words.startsWith('PUBLISH') ? answer(words, node, socket) : undefined,
  );
  cluster.slots = [
    [0, 5_000, 0],
    [5_001, 10_000, 1],
    [10_001, 16_383, 2],
  ];
  const { port, proxy } = await proxyFor(t, cluster.plan(), { failoverWaitMs: 60_000 });
  await eventually('the topology', () => proxy.notReady() === undefined || undefined);
  const publishers = (): readonly number[] =>
    [0, 1, 2].filter((node) => cluster.askedOf(node).some((words) => words.startsWith('PUBLISH')));
  const publish = async (): Promise<void> => {
    const client = clientOf(t, port);
    for (let count = 0; count < COUNT; count++) client.socket.write(`PUBLISH news:${count} hi\r\n`);
    await eventually('the replies', () => client.got() === ':0\r\n'.repeat(COUNT) || undefined);
  };
  return { publish, publishers, port, proxy, silent: cluster.silent };
}

test('what one client publishes goes to one node, as other nodes would pass it on in no order', async (t) => {
  const { publish, publishers } = await setUp(t);
  await publish();
  assert.equal(publishers().length, 1);
});

test('what several clients publish is spread over the nodes', async (t) => {
  const { publish, publishers } = await setUp(t);
  await eventually('all nodes', async () => {
    await publish();
    return publishers().length === 3 || undefined;
  });
});

test('what goes by another node, since the first is silent, waits for what that has not answered', async (t) => {
  const seen: string[] = [];
  let first: { readonly node: number; readonly socket: Socket } | undefined;
  const { port, proxy, silent } = await setUp(t, (words, node, socket) => {
    seen.push(words);
    if (!words.includes('first')) return ':0\r\n';
    first = { node, socket };
    // To the proxy's own questions, too: a node that answers those does not count as silent.
    silent.add(node);
    return undefined;
  });
  const client = clientOf(t, port);
  client.socket.write('PUBLISH chat first\r\n');
  const isSilent = (): boolean => proxy.status()[0]?.nodes.some(({ isUp }) => !isUp) === true;
  await eventually('a silent node', () => isSilent() || undefined);
  client.socket.write('PUBLISH chat second\r\n');
  const other = clientOf(t, port);
  for (let round = 1; round <= 5; round++) {
    other.socket.write('PING\r\n');
    await eventually('another client', () => other.got() === '+PONG\r\n'.repeat(round) || undefined);
  }
  assert.deepEqual(seen, ['PUBLISH chat first']);
  assert.ok(first !== undefined);
  silent.delete(first.node);
  first.socket.write(':1\r\n');
  await eventually('both replies', () => client.got() === ':1\r\n:0\r\n' || undefined);
  assert.deepEqual(seen, ['PUBLISH chat first', 'PUBLISH chat second']);
});

test('messages that their node refuses go by another one, in their order', async (t) => {
  const published: string[] = [];
  let busy: number | undefined;
  const { port } = await setUp(t, (words, node) => {
    busy ??= node;
    if (node === busy) return BUSY;
    published.push(words);
    return ':0\r\n';
  });
  const client = clientOf(t, port);
  const messages = ['one', 'two', 'three'].map((message) => `PUBLISH chat ${message}`);
  client.socket.write(messages.map((message) => `${message}\r\n`).join(''));
  await eventually('the replies', () => client.got() === ':0\r\n'.repeat(3) || undefined, {
    seen: () => client.got(),
  });
  assert.deepEqual(published, messages);
});
