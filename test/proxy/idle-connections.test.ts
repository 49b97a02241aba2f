/**
 * What is done with the connection to Redis that a transaction or a blocking command had for itself.
 */
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { test, type TestContext } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { clientOf, planTo, proxyFor, serverThat, type Client } from './servers.ts';

const REPLIES: Readonly<Record<string, string>> = {
  'SET k 1': '+QUEUED\r\n',
  READONLY: '+QUEUED\r\n',
  EXEC: '*1\r\n+OK\r\n',
  'BLPOP q 1': '*-1\r\n',
  'BLPOP string 1': '-WRONGTYPE Operation against a key holding the wrong kind of value\r\n',
};
const OK = '+OK\r\n';
const TRANSACTION = 'MULTI\r\nSET k 1\r\nEXEC\r\n';

/** A Redis that notes over which connections it was asked what. */
async function setUp(
  t: TestContext,
  replies: Readonly<Record<string, string>> = REPLIES,
  more: { readonly maxConnections?: number } = {},
) {
  const asked: (readonly [words: string, connection: Socket])[] = [];
  const redis = await serverThat(t, (words, socket) => {
    asked.push([words, socket]);
    return replies[words] ?? OK;
  });
  const plan = planTo(redis.port);
  const upstreams = new Map(Array.from(plan.upstreams, ([id, each]) => [id, { ...each, ...more }] as const));
  const { port, proxy } = await proxyFor(t, { ...plan, upstreams });
  /** Sends it, and waits until what it ends with is answered. */
  const ask = async (client: Client, commands: string): Promise<void> => {
    const before = client.got().length;
    client.socket.write(`${commands}PING\r\n`);
    await eventually('the replies', () => client.got().slice(before).endsWith('+PONG\r\n') || undefined);
  };
  return {
    redis,
    proxy,
    ask,
    client: () => clientOf(t, port),
    connectionsOf: (words: string) => asked.filter(([each]) => each === words).map(([, socket]) => socket),
  };
}

test('transactions and blocking commands that follow each other share a connection, whoever asks', async (t) => {
  const { ask, client, connectionsOf } = await setUp(t);
  const [one, other] = [client(), client()];
  await ask(one, TRANSACTION);
  await ask(other, TRANSACTION);
  await ask(one, 'WATCH k\r\nUNWATCH\r\n');
  await ask(other, 'WATCH k\r\nMULTI\r\nSET k 1\r\nDISCARD\r\n');
  await ask(one, 'BLPOP q 1\r\n');
  await ask(other, TRANSACTION);
  const used = ['EXEC', 'UNWATCH', 'DISCARD', 'BLPOP q 1'].flatMap(connectionsOf);
  assert.equal(used.length, 6);
  assert.equal(new Set(used).size, 1);
});

test('where the number of connections is limited none is kept that nobody uses', async (t) => {
  const { ask, client, connectionsOf } = await setUp(t, REPLIES, { maxConnections: 3 });
  for (const each of [client(), client()]) await ask(each, TRANSACTION);
  const [first, second] = connectionsOf('EXEC');
  assert.notEqual(first, second);
  await eventually('its end', () => first?.closed === true || undefined);
});

test('transactions at the same time have a connection each', async (t) => {
  const { ask, client, connectionsOf } = await setUp(t);
  const [one, other] = [client(), client()];
  await ask(one, TRANSACTION);
  one.socket.write('MULTI\r\nSET k 1\r\n');
  await eventually('its first command', () => connectionsOf('SET k 1').length === 2 || undefined);
  await ask(other, TRANSACTION);
  one.socket.write('EXEC\r\n');
  await eventually('its end', () => connectionsOf('EXEC').length === 3 || undefined);
  assert.equal(new Set(connectionsOf('EXEC')).size, 2);
});

for (const [what, commands, last, replies] of [
  ['that ends with an error', TRANSACTION, 'EXEC', { ...REPLIES, EXEC: '-NOPERM no EXEC for you\r\n' }],
  ['that asked for something of it', 'MULTI\r\nSET k 1\r\nREADONLY\r\nEXEC\r\n', 'EXEC', REPLIES],
  ['whose blocking command is refused', 'BLPOP string 1\r\n', 'BLPOP string 1', REPLIES],
] as const) {
  test(`nobody gets a connection ${what}`, async (t) => {
    const { ask, client, connectionsOf } = await setUp(t, replies);
    const asking = client();
    await ask(asking, commands);
    await ask(asking, commands);
    assert.equal(new Set(connectionsOf(last)).size, 2);
  });
}

test('one that Redis has closed meanwhile is not used', async (t) => {
  const { ask, client, connectionsOf } = await setUp(t);
  const asking = client();
  await ask(asking, 'BLPOP q 1\r\n');
  const [first] = connectionsOf('BLPOP q 1');
  first?.end();
  await eventually('its end', () => first?.closed === true || undefined);
  await ask(asking, 'BLPOP q 1\r\n');
  assert.equal(asking.got(), '*-1\r\n+PONG\r\n'.repeat(2));
});

test('the proxy closes what nobody uses when it ends', async (t) => {
  const { redis, proxy, ask, client } = await setUp(t);
  await ask(client(), TRANSACTION);
  await proxy.close();
  await eventually('no connections', () => redis.sockets.size === 0 || undefined);
});
