import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { test, type TestContext } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { clientOf, planTo, proxyFor, serverThat, type Client } from './servers.ts';

async function ended(client: Client): Promise<string> {
  await eventually('the end', () => client.hasEnded || undefined, { seen: () => client.got() });
  return client.got();
}

/** A Redis Cluster that says nothing: nobody knows its nodes. */
async function beforeUnknownCluster(t: TestContext): ReturnType<typeof proxyFor> {
  const { port } = await serverThat(t, () => undefined);
  const plan = planTo(port, { mode: 'cluster' });
  return await proxyFor(t, plan, { failoverWaitMs: 600_000, drainMs: 200 });
}

const WAITING = [
  { what: 'for all primaries', commands: ['DBSIZE'], replies: '-no upstream host\r\n' },
  { what: 'to watch', commands: ['WATCH k'], replies: '-no upstream host\r\n' },
  {
    what: 'in a transaction',
    commands: ['MULTI', 'SET k v'],
    replies: '+OK\r\n-no upstream host\r\n',
  },
  { what: 'for its node', commands: ['SET k v'], replies: '-upstream failure\r\n' },
  {
    what: 'behind others',
    commands: ['GET a', 'ECHO x', 'GET b'],
    replies: '-upstream failure\r\n$1\r\nx\r\n-upstream failure\r\n',
  },
];
for (const { what, commands, replies } of WAITING) {
  test(`a command that waits ${what} is answered before the proxy ends`, async (t) => {
    const { proxy, port } = await beforeUnknownCluster(t);
    const client = clientOf(t, port);
    client.socket.write(`PING\r\n${commands.join('\r\n')}\r\n`);
    await eventually('its being looked at', () => client.got().startsWith('+PONG\r\n') || undefined);
    await proxy.close();
    assert.equal(await ended(client), `+PONG\r\n${replies}`);
    assert.equal(proxy.clients, 0);
  });
}

test('a pipeline that has come is answered to its end', async (t) => {
  const COUNT = 200;
  let isOpen = false;
  const waiting: Socket[] = [];
  const redis = await serverThat(t, (words, socket) => {
    if (words === 'PING' || isOpen) return '+OK\r\n';
    waiting.push(socket);
    return undefined;
  });
  const { proxy, port } = await proxyFor(t, planTo(redis.port), { drainMs: 60_000 });
  const client = clientOf(t, port);
  client.socket.write('SET k v\r\n'.repeat(COUNT));
  await eventually('its being looked at', () => waiting.length > 0 || undefined);
  const closed = proxy.close();
  isOpen = true;
  for (const socket of waiting) socket.write('+OK\r\n');
  assert.equal((await ended(client)).length, COUNT * '+OK\r\n'.length);
  await closed;
});

test('a write that Redis has and does not answer is answered, once, before the proxy ends', async (t) => {
  const redis = await serverThat(t, (words) => (words === 'PING' ? '+PONG\r\n' : undefined));
  const { proxy, port } = await proxyFor(t, planTo(redis.port), { drainMs: 200 });
  const client = clientOf(t, port);
  client.socket.write('SET a 1\r\n');
  await eventually('it is at Redis', () => redis.asked.includes('SET a 1') || undefined);
  await proxy.close();
  assert.equal(await ended(client), '-upstream failure\r\n');
});

test('a command that Redis is asked about, and does not explain, is answered before the proxy ends', async (t) => {
  let isAsked = false;
  const redis = await serverThat(t, (words) => {
    isAsked ||= words.startsWith('COMMAND');
    // Behind the question it would be taken for its answer.
    return words === 'PING' && !isAsked ? '+PONG\r\n' : undefined;
  });
  const { proxy, port } = await proxyFor(t, planTo(redis.port), { drainMs: 200 });
  const client = clientOf(t, port);
  client.socket.write('JSON.GET k\r\n');
  await eventually('the question', () => isAsked || undefined);
  await proxy.close();
  assert.equal(await ended(client), '-no upstream host\r\n');
});

test('a client that waits for an element gets no reply at the end, and may ask elsewhere', async (t) => {
  const redis = await serverThat(t, (words) => (words === 'PING' ? '+PONG\r\n' : undefined));
  const { proxy, port } = await proxyFor(t, planTo(redis.port), { drainMs: 200 });
  const client = clientOf(t, port);
  client.socket.write('BLPOP queue 0\r\n');
  await eventually('it is at Redis', () => redis.asked.includes('BLPOP queue 0') || undefined);
  await proxy.close();
  assert.equal(await ended(client), '');
});

test('a client that takes nothing holds the end up for a moment only', async (t) => {
  const redis = await serverThat(t, (words) =>
    words === 'PING' ? '+PONG\r\n' : `$4000000\r\n${'x'.repeat(4_000_000)}\r\n`,
  );
  const { proxy, port } = await proxyFor(t, planTo(redis.port), { drainMs: 200 });
  const client = clientOf(t, port);
  client.socket.pause();
  client.socket.write('GET a\r\nGET b\r\n');
  await eventually('they are at Redis', () => redis.asked.includes('GET b') || undefined);
  const asked = performance.now();
  await proxy.close();
  assert.ok(performance.now() - asked < 15_000);
  assert.equal(proxy.clients, 0);
});
