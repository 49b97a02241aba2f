import assert from 'node:assert/strict';
import { Invalidations } from '../../../src/proxy/upstream/invalidations.ts';
import { test, type TestContext } from 'node:test';

import { pino } from 'pino';

import { eventually } from '../../../src/demo/eventually.ts';
import { encodeCommand } from '../../../src/proxy/wire/encode.ts';
import { READONLY, RESP3 } from '../../../src/proxy/topology/handshake.ts';
import { Node, type NodeOwner } from '../../../src/proxy/topology/node.ts';
import type { Connection } from '../../../src/proxy/wire/connection.ts';
import { takeRequest } from '../../../src/proxy/wire/request.ts';
import { SlowLog } from '../../../src/proxy/wire/slow-log.ts';
import { keepaliveOf } from '../../../src/proxy/wire/socket.ts';
import { serverThat } from '../servers.ts';

test('what a client waited for alone is looked for nowhere else, where slow commands are logged', async (t) => {
  const server = await serverThat(t, () => '*-1\r\n');
  let isDoubted = false;
  const owner: NodeOwner = {
    invalidations: new Invalidations(),
    slow: new SlowLog(pino({ level: 'silent' }), 60_000),
    doubted: () => (isDoubted = true),
    refused: () => false,
    lost() {},
    changed() {},
    carriedOut: () => false,
  };
  const options = { host: '127.0.0.1', port: server.port, connectTimeoutMs: 5_000, credentials: undefined };
  const rest = { tls: undefined, keepalive: keepaliveOf(undefined), isClusterNode: false };
  const node = new Node({ ...options, ...rest }, owner);
  t.after(() => node.close('the test is over'));
  node.doubt(true);
  const replies: string[] = [];
  const request = takeRequest();
  request.label = 1;
  request.sink = {
    deliver: (_, bytes, start, end) => void replies.push(Buffer.from(bytes.subarray(start, end)).toString()),
  };
  const command = encodeCommand('XREAD', 'BLOCK', '10', 'STREAMS', 's', '$');
  node
    .ownConnection(0, {
      opened() {},
      heard() {},
      loginRefused() {},
      refused: () => false,
      lost() {},
      closed() {},
    })
    .append(request, command, 0, command.length);
  await eventually('the reply', () => replies.length === 1 || isDoubted || undefined);
  assert.deepEqual(replies, ['*-1\r\n']);
});

/** One that knows READONLY; nobody cares what it answers. */
function clusterNode(t: TestContext, port: number): Node {
  const owner: NodeOwner = {
    invalidations: new Invalidations(),
    slow: null,
    doubted: () => false,
    refused: () => false,
    lost() {},
    changed() {},
    carriedOut: () => false,
  };
  const options = { host: '127.0.0.1', port, connectTimeoutMs: 5_000, credentials: undefined };
  const rest = { tls: undefined, keepalive: keepaliveOf(undefined), isClusterNode: true };
  const node = new Node({ ...options, ...rest }, owner);
  t.after(() => node.close('the test is over'));
  return node;
}

function send(connection: Connection, ...words: readonly string[]): void {
  const command = encodeCommand(...words);
  connection.append(null, command, 0, command.length);
}

test('READONLY is said once a node is known to be fit, behind what was sent before', async (t) => {
  const server = await serverThat(t, () => '+OK\r\n');
  const node = clusterNode(t, server.port);
  send(node.connection(READONLY), 'SET', 'k', '1');
  node.update({ isProbed: true, unfit: 'LOADING' });
  send(node.connection(READONLY), 'SET', 'k', '2');
  node.update({ unfit: undefined });
  send(node.connection(READONLY), 'GET', 'k');
  node.update({ isNear: true });
  send(node.connection(READONLY), 'GET', 'k');
  await eventually('all', () => server.asked.length >= 5 || undefined, {
    seen: () => server.asked.join(),
  });
  assert.deepEqual(server.asked, ['SET k 1', 'SET k 2', 'READONLY', 'GET k', 'GET k']);
  assert.equal(server.sockets.size, 1);
});

test('a connection of one client says READONLY only to a node that is known to be fit', async (t) => {
  const server = await serverThat(t, () => '+OK\r\n');
  const node = clusterNode(t, server.port);
  assert.equal(node.kindNow(READONLY | RESP3), RESP3);
  node.update({ isProbed: true });
  assert.equal(node.kindNow(READONLY | RESP3), READONLY | RESP3);
});

test('what was being connected to a node that was lost says READONLY to nobody who is there later', async (t) => {
  const server = await serverThat(t, () => '+OK\r\n');
  const node = clusterNode(t, server.port);
  node.update({ isProbed: true });
  send(node.connection(READONLY), 'GET', 'a');
  node.update({ isDead: true, isProbed: false });
  send(node.connection(READONLY), 'GET', 'b');
  await eventually('the second', () => server.asked.includes('GET b') || undefined);
  assert.deepEqual(server.asked, ['GET b']);
});
