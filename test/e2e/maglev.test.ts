import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';

import { stringify } from 'yaml';

import { eventually } from '../../src/demo/eventually.ts';
import { maglevHost, maglevTable } from '../../src/redis/maglev.ts';
import { needEnvoy } from './environment.ts';
import { startHosts } from './hosts.ts';
import { startRecordingNode, type RecordingNode } from './recording-node.ts';

const SHARDS = 5;

/** 1,000 names and 2,000 of random bytes, many with braces; the same in every run. */
const KEYS: readonly Buffer[] = Array.from({ length: 3_000 }, (_, at) => {
  if (at < 1_000) return Buffer.from(`user:${at}`);
  const bytes = createHash('sha256').update(String(at)).digest();
  const key = bytes.subarray(0, 1 + ((bytes[31] ?? 0) % 24));
  return Buffer.from(key.map((byte) => (byte < 40 ? 0x7b : byte < 80 ? 0x7d : byte)));
});

for (const tagged of [false, true]) {
  test(`3,000 keys land where our Maglev says${tagged ? ', by their hash tags' : ''}`, async (t) => {
    const envoy = await needEnvoy(t);
    if (envoy === undefined) return;
    const nodes: RecordingNode[] = [];
    for (let at = 0; at < SHARDS; at++) nodes.push(await startRecordingNode(t));
    const host = {
      name: 'shards',
      endpoints: nodes.map(({ port }) => port),
      settings: { enableHashtagging: tagged },
    };
    const { sidecar, client, objects } = await startHosts(t, envoy, [host]);
    // Pods are placed by their names, so that a new address moves no key.
    const table = maglevTable(nodes.map((_, at) => ({ text: `shards-${at}`, weight: 1 })));
    const expected = KEYS.map((key) => maglevHost(table, key, tagged));
    const connection = client('shards');
    const send = async (): Promise<void> => {
      for (let at = 0; at < KEYS.length; at += 500) {
        const batch = connection.pipeline();
        for (const key of KEYS.slice(at, at + 500)) batch.get(key);
        for (const [error] of (await batch.exec()) ?? []) assert.ifError(error);
      }
    };
    const placed = (among: readonly RecordingNode[]): ReadonlyMap<string, number> =>
      new Map(among.flatMap((node, at) => node.ofClients().map(({ args }) => [args[0] ?? '', at] as const)));
    const agree = (among: readonly RecordingNode[]): number => {
      const found = placed(among);
      return KEYS.filter((key, at) => found.get(key.toString('latin1')) === expected[at]).length;
    };

    await t.test('all of them', async () => {
      await send();
      assert.equal(agree(nodes), KEYS.length);
      assert.ok(nodes.every((node) => node.ofClients().length > 400));
    });

    await t.test('also when a pod comes back at another address', async () => {
      const successor = await startRecordingNode(t);
      const moved = nodes.map((node, at) => (at === 2 ? successor : node));
      await sidecar.write('shards.yaml', objects('shards', { endpoints: moved.map(({ port }) => port) }));
      await eventually('the new address in Envoy', async () =>
        (await sidecar.envoy.admin('/clusters')).includes(`127.0.0.1:${successor.port}`) ? true : undefined,
      );
      for (const node of nodes) node.forget();
      await send();
      assert.equal(agree(moved), KEYS.length);
      assert.deepEqual(nodes[2]?.ofClients(), []);
    });

    await t.test('also while a pod is not ready', async () => {
      const text = objects('shards').split('---\n');
      const unready = text.map((document, at) =>
        at === 3
          ? document.replace(
              /- addresses:/,
              `- ${stringify({ conditions: { ready: false } })
                .trim()
                .replace('\n', '\n    ')}\n    addresses:`,
            )
          : document,
      );
      assert.match(unready.join('---\n'), /ready: false/);
      await sidecar.write('shards.yaml', unready.join('---\n'));
      await eventually('the first addresses in Envoy', async () =>
        (await sidecar.envoy.admin('/clusters')).includes(`127.0.0.1:${nodes[2]?.port}`) ? true : undefined,
      );
      for (const node of nodes) node.forget();
      await send();
      assert.equal(agree(nodes), KEYS.length);
    });
  });
}
