import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import type { Redis } from 'ioredis';

import { freePorts, removeFolder, temporaryFolder } from '../../src/demo/child-process.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { startRedis, stopRedis, type RedisNode } from '../../src/demo/redis-node.ts';
import { needBinaries } from './environment.ts';
import { documents, hostObjects, serviceObjects } from './objects.ts';
import { answerOf, connect, startSidecar } from './sidecar.ts';

async function startServers(t: TestContext, server: string, count: number): Promise<readonly RedisNode[]> {
  const folder = await temporaryFolder('servers');
  t.after(() => removeFolder(folder));
  return await Promise.all(
    Array.from({ length: count }, async () => {
      const node = await startRedis({ server, folder });
      t.after(() => stopRedis(node));
      return node;
    }),
  );
}

async function ready(client: Redis): Promise<void> {
  await eventually('an answer', async () => ((await client.get('warm')) === null ? true : undefined));
}

test('plain servers share the keys, and a server that comes back elsewhere keeps its own', async (t) => {
  const binaries = await needBinaries(t);
  if (binaries === undefined) return;
  const servers = await startServers(t, binaries.redis.server, 4);
  const [port = 0] = await freePorts(1);
  const endpoints = servers.slice(0, 3).map((server) => server.port);
  const host = { name: 'shards', port, endpoints, mode: 'PROXY' as const };
  const sidecar = await startSidecar(t, {
    envoy: binaries.envoy,
    files: { 'shards.yaml': hostObjects(host) },
  });
  const client = connect(t, port);
  await ready(client);

  const keys = Array.from({ length: 300 }, (_, index) => `key:${index}`);
  for (const key of keys) await client.set(key, key);
  const sizes = await Promise.all(servers.map((server) => server.client.dbsize()));
  await t.test('each server has a third of the keys, and every key is found again', async () => {
    assert.equal(
      sizes.reduce((sum, size) => sum + size, 0),
      keys.length,
    );
    for (const size of sizes.slice(0, 3)) assert.ok(size > 60 && size < 140, `a server has ${size} keys`);
    for (const key of keys) assert.equal(await client.get(key), key);
  });

  await t.test('its pod with another address gets the same keys', async () => {
    const [moved, , , successor] = servers;
    assert.ok(moved && successor);
    for (const key of await moved.client.keys('*')) await successor.client.set(key, `moved ${key}`);
    const [, ...rest] = endpoints;
    await sidecar.write('shards.yaml', hostObjects({ ...host, endpoints: [successor.port, ...rest] }));
    const expected = new Map<string, string>();
    for (const key of keys)
      expected.set(key, (await successor.client.exists(key)) === 1 ? `moved ${key}` : key);
    await eventually('every key where it is now', async () => {
      for (const key of keys) if ((await client.get(key)) !== expected.get(key)) return undefined;
      return true;
    });
  });
});

test('routes by prefix', async (t) => {
  const binaries = await needBinaries(t);
  if (binaries === undefined) return;
  const [sessions, admin, rest] = await startServers(t, binaries.redis.server, 3);
  assert.ok(sessions && admin && rest);
  const [port = 0, other = 0] = await freePorts(2);
  const to = (name: string): object => ({ route: { host: name } });
  const prefix = (text: string, removePrefix: boolean): object => ({
    match: { key: { prefix: text, removePrefix } },
  });
  const rules = [
    { ...prefix('session:', true), ...to('sessions') },
    { ...prefix('session:admin:', false), ...to('admin') },
  ];
  const server = (name: string, node: RedisNode): object[] =>
    serviceObjects({ name, port: 6379, endpoints: [node.port] });
  await startSidecar(t, {
    envoy: binaries.envoy,
    files: {
      'all.yaml': hostObjects({
        name: 'all',
        port,
        endpoints: [rest.port],
        mode: 'PROXY',
        rules: [...rules, to('all')],
      }),
      'some.yaml': hostObjects({ name: 'some', port: other, endpoints: [rest.port], mode: 'PROXY', rules }),
      'servers.yaml': documents(...server('sessions', sessions), ...server('admin', admin)),
    },
  });
  const client = connect(t, port);
  await ready(client);

  await t.test('the longest prefix wins, and is removed where asked', async () => {
    await client.set('session:1', 'a');
    await client.set('session:admin:1', 'b');
    await client.set('else', 'c');
    assert.deepEqual(await sessions.client.keys('*'), ['1']);
    assert.deepEqual(await admin.client.keys('*'), ['session:admin:1']);
    assert.deepEqual(await rest.client.keys('*'), ['else']);
  });

  await t.test('without a catch-all a key of no prefix is answered with an error', async () => {
    // At its defaults ioredis asks INFO first, a command without a key.
    const narrow = connect(t, other, { enableReadyCheck: false });
    assert.equal(await narrow.get('session:1'), 'a');
    assert.match(String(await answerOf(narrow.get('else'))), /no upstream host/);
  });
});
