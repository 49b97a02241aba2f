import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { clusterThat } from './scripted-cluster.ts';
import { clientOf, proxyFor } from './servers.ts';

const COUNT = 50;

async function setUp(t: TestContext) {
  const cluster = await clusterThat(t, 3, (words) => (words.startsWith('PUBLISH') ? ':0\r\n' : undefined));
  cluster.slots = [
    [0, 5_000, 0],
    [5_001, 10_000, 1],
    [10_001, 16_383, 2],
  ];
  const { port, proxy } = await proxyFor(t, cluster.plan());
  await eventually('the topology', () => proxy.notReady() === undefined || undefined);
  const publishers = (): readonly number[] =>
    [0, 1, 2].filter((node) => cluster.askedOf(node).some((words) => words.startsWith('PUBLISH')));
  const publish = async (): Promise<void> => {
    const client = clientOf(t, port);
    for (let count = 0; count < COUNT; count++) client.socket.write(`PUBLISH news:${count} hi\r\n`);
    await eventually('the replies', () => client.got() === ':0\r\n'.repeat(COUNT) || undefined);
  };
  return { publish, publishers };
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
