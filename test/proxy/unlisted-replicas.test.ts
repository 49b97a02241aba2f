import assert from 'node:assert/strict';
import { test } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { clusterThat } from './scripted-cluster.ts';
import { clientOf, proxyFor } from './servers.ts';

test('a replica is read from on while a new map lists none for its shard', async (t) => {
  const cluster = await clusterThat(t, 2, (words) =>
    /^(?:GET|READONLY)/.test(words) ? '+OK\r\n' : undefined,
  );
  cluster.slots = [[0, 16_383, 0, 1]];
  const { port } = await proxyFor(t, cluster.plan('REPLICA'), { failoverWaitMs: 20_000 });
  const client = clientOf(t, port);
  let asked = 0;
  const read = async (): Promise<void> => {
    asked += 1;
    client.socket.write(`GET ${asked}\r\n`);
    await eventually('the value', () => client.got() === '+OK\r\n'.repeat(asked) || undefined, {
      seen: () => client.got(),
    });
  };
  await read();
  cluster.slots = [[0, 16_383, 0]];
  const questions = (): number =>
    cluster.nodes.flatMap((node) => node.asked).filter((words) => words.toUpperCase() === 'CLUSTER SLOTS')
      .length;
  const before = questions();
  await eventually('the new map', () => questions() > before + 4 || undefined);
  await read();
  assert.deepEqual(
    cluster.askedOf(1).filter((words) => words.startsWith('GET')),
    ['GET 1', 'GET 2'],
  );
});
