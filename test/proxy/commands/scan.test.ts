import assert from 'node:assert/strict';
import { test } from 'node:test';

import { eventually } from '../../../src/demo/eventually.ts';
import { markOfAddress } from '../../../src/proxy/commands/scan.ts';
import { clusterThat, proxyForHalves, type ScriptedCluster } from '../scripted-cluster.ts';
import { clientOf, proxyFor } from '../servers.ts';

const page = (cursor: string, key: string): string =>
  `*2\r\n$${cursor.length}\r\n${cursor}\r\n*1\r\n$${key.length}\r\n${key}\r\n`;

test('each node of a large cluster has a mark of its own, nearly always', () => {
  const nodes = 200;
  const marks = new Set(
    Array.from({ length: nodes }, (_, index) => markOfAddress(`10.0.${index >> 5}.${index & 31}:6379`)),
  );
  assert.ok(marks.size > 0.95 * nodes, `${marks.size} marks`);
});

for (const [what, later] of [
  ['has failed over', [[0, 1_000, 0] as const, [1_001, 16_383, 2] as const]],
  ['has joined another', [[0, 16_383, 2] as const]],
] as const) {
  test(`a shard that ${what} in the middle of a scan is scanned from its begin`, async (t) => {
    const start = async (): Promise<ScriptedCluster> =>
      await clusterThat(t, 3, (words, node) => {
        if (!words.startsWith('SCAN')) return undefined;
        return node === 1 ? page('5', 'one') : page('0', node === 0 ? 'zero' : 'two');
      });
    let cluster = await start();
    // Free ports are of one mark once in thousands of runs.
    while (markOfAddress(cluster.addressOf(1)) === markOfAddress(cluster.addressOf(2)))
      cluster = await start();
    cluster.slots = [
      [0, 1_000, 0],
      [1_001, 16_383, 1],
    ];
    const { port, proxy } = await proxyFor(t, cluster.plan());
    await eventually('the topology', () => proxy.notReady() === undefined || undefined);
    const client = clientOf(t, port);
    const scan = async (cursor: string): Promise<readonly [next: string, key: string]> => {
      const before = client.got().length;
      client.socket.write(`SCAN ${cursor}\r\n`);
      const found = await eventually(
        'a page',
        () =>
          /^\*2\r\n\$\d+\r\n(\d+)\r\n\*1\r\n\$\d+\r\n(\w+)\r\n$/.exec(client.got().slice(before)) ??
          undefined,
      );
      return [found[1] ?? '', found[2] ?? ''];
    };
    const [second, zero] = await scan('0');
    const [third, one] = await scan(second);
    cluster.slots = later;
    const isThere = (): boolean => {
      const shards = proxy.status()[0]?.shards ?? [];
      return shards.at(-1)?.primary === cluster.addressOf(2) && shards.length === later.length;
    };
    await eventually('the new topology', () => isThere() || undefined);
    const [last, two] = await scan(third);
    assert.deepEqual([zero, one, two, last], ['zero', 'one', 'two', '0']);
    assert.deepEqual(cluster.askedOf(2), ['SCAN 0']);
  });
}

test('a cursor of a node for which there is no room is an error, not that of another node', async (t) => {
  const { port } = await proxyForHalves(t, (words) =>
    words.startsWith('SCAN') ? page(String(2n ** 38n), 'a') : undefined,
  );
  const client = clientOf(t, port);
  client.socket.write('SCAN 0\r\n');
  await eventually('the reply', () => client.got().endsWith('\r\n') || undefined);
  assert.equal(client.got(), '-ERR the cursor of this node is too large for a scan of several\r\n');
});

test('a cursor that no Redis gives is refused as Redis does', async (t) => {
  const cluster = await clusterThat(t, 1, (words) => (words.startsWith('SCAN') ? page('0', 'a') : undefined));
  const { port, proxy } = await proxyFor(t, cluster.plan());
  await eventually('the topology', () => proxy.notReady() === undefined || undefined);
  const client = clientOf(t, port);
  client.socket.write(`SCAN ${2n ** 64n}\r\nSCAN 0\r\n`);
  const wanted = `-ERR invalid cursor\r\n${page('0', 'a')}`;
  await eventually('the replies', () => client.got().length >= wanted.length || undefined, {
    seen: () => client.got(),
  });
  assert.equal(client.got(), wanted);
});

test('a shard that gets slots before those of its own in the middle of a scan is not passed over', async (t) => {
  const cluster = await clusterThat(t, 3, (words, node) =>
    words.startsWith('SCAN') ? page('0', ['zero', 'one', 'two'][node] ?? '') : undefined,
  );
  cluster.slots = [
    [0, 5_000, 0],
    [5_001, 10_000, 1],
    [10_001, 16_383, 2],
  ];
  const { port, proxy } = await proxyFor(t, cluster.plan());
  await eventually('the topology', () => proxy.notReady() === undefined || undefined);
  const client = clientOf(t, port);
  const keys: string[] = [];
  let cursor = '0';
  do {
    const before = client.got().length;
    client.socket.write(`SCAN ${cursor}\r\n`);
    const [, next = '', key = ''] = await eventually(
      'a page',
      () =>
        /^\*2\r\n\$\d+\r\n(\d+)\r\n\*1\r\n\$\d+\r\n(\w+)\r\n$/.exec(client.got().slice(before)) ?? undefined,
    );
    cursor = next;
    keys.push(key);
    // The first slots of the shard that was scanned go to the last one.
    cluster.slots = [
      [0, 100, 2],
      [101, 5_000, 0],
      [5_001, 10_000, 1],
      [10_001, 16_383, 2],
    ];
    const isThere = (): boolean =>
      (proxy.status()[0]?.shards ?? []).some(({ slots }) => slots.includes('0-100 '));
    await eventually('the new topology', () => isThere() || undefined);
  } while (cursor !== '0' && keys.length < 10);
  assert.deepEqual([...new Set(keys)].sort(), ['one', 'two', 'zero']);
});
