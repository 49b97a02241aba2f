import assert from 'node:assert/strict';
import { test } from 'node:test';

import { eventually } from '../../../src/demo/eventually.ts';
import { clusterThat } from '../scripted-cluster.ts';
import { proxyFor } from '../servers.ts';

test('a node that no map lists is kept anew after it was a primary', async (t) => {
  let listed = [0, 1];
  let ports: readonly number[] = [];
  const cluster = await clusterThat(t, 2, (words) => {
    if (words.toUpperCase() !== 'CLUSTER SLOTS') return undefined;
    const told = listed.map((node) => `*2\r\n$9\r\n127.0.0.1\r\n:${ports[node]}\r\n`);
    return `*1\r\n*${2 + told.length}\r\n:0\r\n:16383\r\n${told.join('')}`;
  });
  ports = cluster.nodes.map(({ port }) => port);
  const now = performance.now.bind(performance);
  let later = 0;
  t.mock.method(performance, 'now', () => now() + later);
  const { proxy } = await proxyFor(t, cluster.plan());
  /** Primary and replicas, as numbers of nodes. */
  const shard = (): string => {
    const { primary = '', replicas = [] } = proxy.status()[0]?.shards?.[0] ?? {};
    return [primary, ...replicas].map((address) => ports.indexOf(Number(address.split(':')[1]))).join(' ');
  };
  const isSeen = async (what: string): Promise<unknown> =>
    await eventually(`the shard being ${what}`, () => shard() === what || undefined, {
      seen: shard,
      everyMs: 5,
    });
  await isSeen('0 1');
  await eventually('both asked', () => {
    const nodes = proxy.status()[0]?.nodes ?? [];
    return (nodes.length === 2 && nodes.every(({ state }) => state === 'fit')) || undefined;
  });
  listed = [0];
  const askedBefore = cluster.nodes[0]?.asked.length ?? 0;
  const mapsOf = (): number =>
    (cluster.nodes[0]?.asked.slice(askedBefore) ?? []).filter((words) => /^cluster slots$/i.test(words))
      .length;
  await eventually('the second map', () => mapsOf() >= 2 || undefined);
  assert.equal(shard(), '0 1');
  listed = [1];
  await isSeen('1 0');
  later = 11_000;
  await isSeen('1');
  listed = [0];
  await eventually('the next primary', () => shard().startsWith('0') || undefined, { everyMs: 5 });
  assert.equal(shard(), '0 1');
});
