/**
 * Client libraries that are told to keep what they read: nobody would tell them when it has changed, so they keep nothing, and
 * say why.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test, type TestContext } from 'node:test';
import { promisify } from 'node:util';

import { BasicClientSideCache, createClient } from 'redis';

import { planTo, proxyFor, serverThat } from '../proxy/servers.ts';
import { needRedisPy } from './environment.ts';

const WHY =
  /'client\|tracking' is not carried out by this proxy: switch client-side caching off in the client/;

/** Its port, and what was asked behind it. */
async function setUp(t: TestContext): Promise<{ readonly port: number; readonly asked: readonly string[] }> {
  const redis = await serverThat(t, (words) => (words === 'PING' ? '+PONG\r\n' : '$1\r\nv\r\n'));
  const { port } = await proxyFor(t, planTo(redis.port));
  return { port, asked: redis.asked };
}

test('node-redis does not connect, with the reason', async (t) => {
  const { port, asked } = await setUp(t);
  const client = createClient({
    RESP: 3,
    clientSideCache: new BasicClientSideCache(),
    socket: { host: '127.0.0.1', port, reconnectStrategy: false },
  });
  client.on('error', () => {});
  t.after(() => client.destroy());
  await assert.rejects(client.connect(), WHY);
  assert.deepEqual(
    asked.filter((words) => words.startsWith('GET')),
    [],
  );
});

test('redis-py fails at its first command, with the reason', async (t) => {
  const python = await needRedisPy(t);
  if (python === undefined) return;
  const { port, asked } = await setUp(t);
  const script = `
import redis
from redis.cache import CacheConfig
redis.Redis(port=${port}, protocol=3, cache_config=CacheConfig()).get('k')
`;
  await assert.rejects(promisify(execFile)(python, ['-c', script]), WHY);
  assert.deepEqual(
    asked.filter((words) => words.startsWith('GET')),
    [],
  );
});
