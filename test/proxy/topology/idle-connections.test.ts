import assert from 'node:assert/strict';
import { Invalidations } from '../../../src/proxy/upstream/invalidations.ts';
import { test, type TestContext } from 'node:test';

import { eventually } from '../../../src/demo/eventually.ts';
import { TRACKED } from '../../../src/proxy/topology/handshake.ts';
import { Node } from '../../../src/proxy/topology/node.ts';
import type { ConnectionOwner } from '../../../src/proxy/wire/connection-owner.ts';
import type { Connection } from '../../../src/proxy/wire/connection.ts';
import { keepaliveOf } from '../../../src/proxy/wire/socket.ts';
import { clock } from '../../../src/proxy/wire/turn.ts';
import { serverThat } from '../servers.ts';

const OWNER: ConnectionOwner = {
  opened() {},
  heard() {},
  loginRefused() {},
  refused: () => false,
  lost() {},
  closed() {},
};

/** A node with open connections that clients have, and time that passes when it is told to. */
async function setUp(t: TestContext, count: number, kind = 0) {
  const server = await serverThat(t, (words) => (words === 'PING' ? undefined : '+OK\r\n'));
  const options = { host: '127.0.0.1', port: server.port, connectTimeoutMs: 5_000, credentials: undefined };
  const rest = { tls: undefined, keepalive: keepaliveOf(undefined), isClusterNode: false };
  const owner = {
    invalidations: new Invalidations(),
    slow: null,
    doubted: () => false,
    refused: () => false,
  };
  const node = new Node(
    { ...options, ...rest },
    { ...owner, lost() {}, changed() {}, carriedOut: () => false },
  );
  t.after(() => node.close('the test is over'));
  const connections = Array.from({ length: count }, () => node.ownConnection(kind, OWNER));
  await eventually('the connections', () => connections.every(({ isOpen }) => isOpen) || undefined);
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const { invalidations } = owner;
  return { server, node, connections, invalidations, pass: (ms: number) => t.mock.timers.tick(ms) };
}

const areClosed = (connections: readonly Connection[]): readonly boolean[] =>
  connections.map(({ isClosed }) => isClosed);

test('a connection that nobody takes is closed after 10 to 20 s, each in its time', async (t) => {
  const { node, connections, pass } = await setUp(t, 2);
  const [first, second] = connections;
  node.keep(first!, 0);
  pass(10_000);
  node.keep(second!, 0);
  assert.deepEqual(areClosed(connections), [false, false]);
  pass(10_000);
  assert.deepEqual(areClosed(connections), [true, false]);
  pass(10_000);
  assert.deepEqual(areClosed(connections), [true, true]);
  const [third] = [node.ownConnection(0, OWNER)];
  node.keep(third, 0);
  pass(20_000);
  assert.deepEqual(areClosed([third]), [true]);
});

test('while its node tells over it what has changed it is kept for five minutes, and its end drops everything', async (t) => {
  const { node, connections, invalidations, pass } = await setUp(t, 2, TRACKED);
  const told: unknown[] = [];
  invalidations.add({ changed: ({ keys }) => told.push(keys), untracked() {} });
  const [read, other] = connections;
  read!.isRemembered = true;
  for (const connection of connections) node.keep(connection, TRACKED);
  for (let round = 0; round < 2; round++) pass(10_000);
  assert.deepEqual(areClosed([read!, other!]), [false, true]);
  for (let round = 2; round < 30; round++) pass(10_000);
  assert.deepEqual([areClosed([read!]), told], [[false], []]);
  pass(10_000);
  assert.deepEqual([areClosed([read!]), told], [[true], [null]]);
});

test('one that was taken is not closed, nor given to another or to who needs another kind', async (t) => {
  const { node, connections, pass } = await setUp(t, 1);
  node.keep(connections[0]!, 0);
  assert.notEqual(node.ownConnection(1, OWNER), connections[0]);
  assert.equal(node.ownConnection(0, OWNER), connections[0]);
  assert.notEqual(node.ownConnection(0, OWNER), connections[0]);
  pass(30_000);
  assert.deepEqual(areClosed(connections), [false]);
});

test('of more than 64 the one that has waited longest is closed', async (t) => {
  const { node, connections } = await setUp(t, 66);
  for (const connection of connections) node.keep(connection, 0);
  assert.deepEqual(
    areClosed(connections),
    connections.map((_, index) => index < 2),
  );
});

test('the one that was kept last is taken first, so that others grow old', async (t) => {
  const { node, connections } = await setUp(t, 3);
  for (const connection of connections) node.keep(connection, 0);
  for (const connection of connections.toReversed()) assert.equal(node.ownConnection(0, OWNER), connection);
});

test('one over which its node tells what has changed is asked whether it is there, and closed if it does not answer', async (t) => {
  const { server, node, connections } = await setUp(t, 2, TRACKED);
  const [telling, other] = connections;
  node.keep(telling!, TRACKED);
  node.keep(other!, 0);
  t.mock.timers.reset();
  const begin = clock.now;
  t.after(() => (clock.now = begin));
  node.askTracked();
  await eventually('the question', () => server.asked.includes('PING') || undefined);
  clock.now = begin + 3_000;
  node.askTracked();
  assert.deepEqual(areClosed(connections), [false, false]);
  clock.now = begin + 3_001;
  node.askTracked();
  assert.deepEqual(areClosed(connections), [true, false]);
  assert.equal(server.asked.filter((words) => words === 'PING').length, 1);
});

for (const state of [{ isDead: true }, { isSilent: true }]) {
  test(`none is kept of a node that ${'isDead' in state ? 'is dead' : 'does not answer'}`, async (t) => {
    const { node, connections } = await setUp(t, 2);
    for (const connection of connections) node.keep(connection, 0);
    node.update(state);
    assert.deepEqual(areClosed(connections), [true, true]);
  });
}
