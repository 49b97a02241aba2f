import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import type { RoutingPlan } from '../../src/plan/routing-plan.ts';
import { maglevHost, maglevTable } from '../../src/redis/maglev.ts';
import { array, clientOf, proxyFor, serverThat, type Server } from './servers.ts';
import { planToServers, resolveTo } from './several-servers.ts';

const [FIRST, SECOND] = ['127.0.0.11', '127.0.0.12'];

/** Two servers of one port, the second of which comes first by its address only where it is said. */
async function setUp(
  t: TestContext,
  others: Readonly<Record<string, string>> = {},
): Promise<{ readonly first: Server; readonly second: Server }> {
  const answer = (words: string): string => {
    const [kind = '', ...channels] = words.split(' ');
    const other = others[kind];
    if (other !== undefined) return other;
    if (kind === 'PUBLISH') return ':1\r\n';
    return kind === 'subscribe' ? channels.map((channel) => array(kind, channel, ':1')).join('') : '+OK\r\n';
  };
  const first = await serverThat(t, answer, { host: FIRST, port: 0 });
  return { first, second: await serverThat(t, answer, { host: SECOND, port: first.port }) };
}

const count = ({ asked }: Server, words: string): number => asked.filter((each) => each === words).length;

test('among plain servers messages are published where everybody subscribes', async (t) => {
  const { first, second } = await setUp(t);
  const endpoints = [SECOND, FIRST].map((address) => ({ address, port: first.port, hashKey: address }));
  const { port, proxy } = await proxyFor(t, planToServers({ kind: 'endpoints', endpoints }));
  await eventually('its servers', () => proxy.notReady() === undefined || undefined);
  const clients = Array.from({ length: 10 }, () => clientOf(t, port));
  for (const { socket } of clients) socket.write('SUBSCRIBE news\r\n');
  const publisher = clientOf(t, port);
  publisher.socket.write('PUBLISH news hi\r\n'.repeat(10));
  await eventually('all', () => [publisher, ...clients].every((client) => client.got() !== '') || undefined);
  await eventually('the rest', () => publisher.got().length === 40 || undefined);
  assert.deepEqual([count(first, 'subscribe news'), count(first, 'PUBLISH news hi')], [10, 10]);
  assert.deepEqual([count(second, 'subscribe news'), count(second, 'PUBLISH news hi')], [0, 0]);
});

test('what a transaction publishes is heard where everybody subscribes, wherever its keys are, if it is carried out', async (t) => {
  const { first, second } = await setUp(t, {
    PUBLISH: '+QUEUED\r\n',
    EXEC: '*2\r\n+OK\r\n:0\r\n',
  });
  const table = maglevTable([FIRST, SECOND].map((text) => ({ text, weight: 1 })));
  const keyAt = (host: number): string =>
    Array.from({ length: 50 }, (_, number) => `key:${number}`).find(
      (key) => maglevHost(table, Buffer.from(key), false) === host,
    ) ?? '';
  const endpoints = [FIRST, SECOND].map((address) => ({ address, port: first.port, hashKey: address }));
  const { port, proxy } = await proxyFor(t, planToServers({ kind: 'endpoints', endpoints }));
  await eventually('its servers', () => proxy.notReady() === undefined || undefined);
  const client = clientOf(t, port);
  const transaction = (key: string, message: string, end: string): void =>
    void client.socket.write(`MULTI\r\nSET ${key} 1\r\nPUBLISH news ${message}\r\n${end}\r\n`);
  transaction(keyAt(0), 'here', 'EXEC');
  transaction(keyAt(1), 'there', 'EXEC');
  transaction(keyAt(1), 'never', 'DISCARD');
  client.socket.write('PUBLISH news last\r\n');
  await eventually('the last', () => count(first, 'PUBLISH news last') > 0 || undefined);
  const published = ({ asked }: Server): readonly string[] =>
    asked.filter((words) => words.startsWith('PUBLISH')).map((words) => words.split(' ').at(-1) ?? '');
  assert.deepEqual(published(first), ['here', 'there', 'last']);
  assert.deepEqual(published(second), ['there', 'never']);
});

test('a transaction that does nothing but publish does so where everybody subscribes', async (t) => {
  const { first, second } = await setUp(t, { PUBLISH: '+QUEUED\r\n', EXEC: '*1\r\n:1\r\n' });
  const endpoints = [SECOND, FIRST].map((address) => ({ address, port: first.port, hashKey: address }));
  const { port, proxy } = await proxyFor(t, planToServers({ kind: 'endpoints', endpoints }));
  await eventually('its servers', () => proxy.notReady() === undefined || undefined);
  const client = clientOf(t, port);
  client.socket.write('MULTI\r\nPUBLISH news hi\r\nEXEC\r\n'.repeat(10));
  const replies = '+OK\r\n+QUEUED\r\n*1\r\n:1\r\n'.repeat(10);
  await eventually('the replies', () => client.got() === replies || undefined, { seen: () => client.got() });
  assert.deepEqual([count(first, 'PUBLISH news hi'), count(second, 'PUBLISH news hi')], [10, 0]);
});

test('what a transaction publishes is heard once, whichever name its server has in the next plan', async (t) => {
  const server = await serverThat(
    t,
    (words) => (words === 'EXEC' ? undefined : words.startsWith('PUBLISH') ? '+QUEUED\r\n' : '+OK\r\n'),
    { host: FIRST, port: 0 },
  );
  const named = (name: string): RoutingPlan => planToServers({ kind: 'dns', name, port: server.port });
  const names = resolveTo(t, FIRST);
  const { port, proxy } = await proxyFor(t, named('former'), { failoverWaitMs: 30_000 });
  await eventually('its server', () => proxy.notReady() === undefined || undefined);
  const client = clientOf(t, port);
  client.socket.write('MULTI\r\nSET k 1\r\nPUBLISH news hi\r\nEXEC\r\n');
  await eventually('the last command', () => count(server, 'EXEC') === 1 || undefined);
  names.addresses = [];
  await proxy.update(named('next'));
  for (const socket of server.sockets) socket.write('*2\r\n+OK\r\n:0\r\n');
  await eventually('its reply', () => client.got().endsWith('*2\r\n+OK\r\n:0\r\n') || undefined);
  names.addresses = [FIRST];
  clientOf(t, port).socket.write('PUBLISH news last\r\n');
  await eventually('the last', () => count(server, 'PUBLISH news last') > 0 || undefined);
  assert.equal(count(server, 'PUBLISH news hi'), 1);
});

test('subscribers follow messages to another server that has come', async (t) => {
  const { first, second } = await setUp(t);
  const names = resolveTo(t, SECOND);
  const { port, proxy } = await proxyFor(
    t,
    planToServers({ kind: 'dns', name: 'servers', port: first.port }),
  );
  await eventually('its servers', () => proxy.notReady() === undefined || undefined);
  const client = clientOf(t, port);
  client.socket.write('SUBSCRIBE news\r\n');
  await eventually('the confirmation', () => client.got() !== '' || undefined);
  assert.equal(count(second, 'subscribe news'), 1);
  names.addresses.push(FIRST);
  await eventually('the other one', () => count(first, 'subscribe news') === 1 || undefined, {
    deadlineMs: 30_000,
  });
  for (const socket of first.sockets) socket.write(array('message', 'news', '$2\r\nhi'));
  await eventually('a message', () => client.got().includes('hi') || undefined);
});
