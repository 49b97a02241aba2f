/**
 * Client libraries that keep what they read, at their defaults: what has not changed is not asked for again, and what has is.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test, type TestContext } from 'node:test';
import { promisify } from 'node:util';

import { BasicClientSideCache, createClient } from 'redis';

import { eventually } from '../../src/demo/eventually.ts';
import type { RedisNode } from '../../src/demo/redis-node.ts';
import { planTo, proxyFor, serverThat } from '../proxy/servers.ts';
import { needRedisPy } from './environment.ts';
import { catchAll, servers, startListener, startServers } from './proxy-servers.ts';

const INVALIDATE = '>2\r\n$10\r\ninvalidate\r\n';
/** By then everything has been told again. */
const AGAIN_MS = 600;

async function setUp(
  t: TestContext,
): Promise<{ readonly port: number; readonly server: RedisNode } | undefined> {
  const started = await startServers(t, 1);
  const server = started?.[0];
  if (server === undefined) return undefined;
  return { port: await startListener(t, [servers('s', [server])], () => catchAll('s')), server };
}

async function nodeRedis(
  t: TestContext,
  port: number,
): Promise<{ get(key: string): Promise<string | null> }> {
  const client = createClient({
    RESP: 3,
    clientSideCache: new BasicClientSideCache(),
    socket: { host: '127.0.0.1', port, reconnectStrategy: false },
  });
  client.on('error', () => {});
  t.after(() => client.destroy());
  await client.connect();
  return client;
}

async function gets({ client }: RedisNode): Promise<number> {
  return Number(/cmdstat_get:calls=(\d+)/.exec(await client.info('commandstats'))?.[1] ?? 0);
}

test('node-redis', async (t) => {
  const setting = await setUp(t);
  if (setting === undefined) return;
  const { port, server } = setting;
  const client = await nodeRedis(t, port);
  await server.client.set('k', 'old');
  for (let count = 0; count < 5; count++) assert.equal(await client.get('k'), 'old');
  assert.equal(await gets(server), 1);
  await server.client.set('k', 'new');
  await eventually('the new value', async () => ((await client.get('k')) === 'new' ? true : undefined));
});

test('node-redis, of which values and their end are read together', async (t) => {
  const server = await serverThat(t, (words) => {
    if (words.startsWith('HELLO')) return '%0\r\n';
    if (words === 'GET k') return `$1\r\nv\r\n${INVALIDATE}_\r\n`;
    return words === 'PING' ? '+PONG\r\n' : '+OK\r\n';
  });
  const { port } = await proxyFor(t, planTo(server.port));
  const client = await nodeRedis(t, port);
  await eventually('its asking again', async () => {
    await client.get('k');
    return server.asked.filter((words) => words === 'GET k').length > 1 || undefined;
  });
});

test('node-redis, of which a value, everything and that it has changed are read together', async (t) => {
  const server = await serverThat(t, (words, socket) => {
    if (words.startsWith('HELLO')) return '%0\r\n';
    if (words === 'GET first') return `$1\r\nv\r\n${INVALIDATE}_\r\n`;
    if (words !== 'GET k') return words === 'PING' ? '+PONG\r\n' : '+OK\r\n';
    if (server.asked.filter((each) => each === words).length > 1) return '$3\r\nnew\r\n';
    setTimeout(() => socket.write(`$3\r\nold\r\n${INVALIDATE}*1\r\n$1\r\nk\r\n`), AGAIN_MS);
    return undefined;
  });
  const { port } = await proxyFor(t, planTo(server.port), { hedgeAfterMs: 10 * AGAIN_MS });
  const client = await nodeRedis(t, port);
  await client.get('first');
  assert.equal(await client.get('k'), 'old');
  await eventually('the new value', async () => ((await client.get('k')) === 'new' ? true : undefined));
});

test('redis-py', async (t) => {
  const python = await needRedisPy(t);
  const setting = python === undefined ? undefined : await setUp(t);
  if (python === undefined || setting === undefined) return;
  const { port, server } = setting;
  const script = `
import time
import redis
from redis.cache import CacheConfig
direct = redis.Redis(port=${server.port})
direct.set('k', 'old')
client = redis.Redis(port=${port}, protocol=3, cache_config=CacheConfig())
for _ in range(5):
    assert client.get('k') == b'old'
assert direct.info('commandstats')['cmdstat_get']['calls'] == 1
direct.set('k', 'new')
until = time.time() + 10
while client.get('k') != b'new':
    assert time.time() < until
`;
  await promisify(execFile)(python, ['-c', script]);
});
