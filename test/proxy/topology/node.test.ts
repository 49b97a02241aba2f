import assert from 'node:assert/strict';
import { test } from 'node:test';

import { pino } from 'pino';

import { eventually } from '../../../src/demo/eventually.ts';
import { encodeCommand } from '../../../src/proxy/wire/encode.ts';
import { Node, type NodeOwner } from '../../../src/proxy/topology/node.ts';
import { takeRequest } from '../../../src/proxy/wire/request.ts';
import { SlowLog } from '../../../src/proxy/wire/slow-log.ts';
import { keepaliveOf } from '../../../src/proxy/wire/socket.ts';
import { serverThat } from '../servers.ts';

test('what a client waited for alone is looked for nowhere else, where slow commands are logged', async (t) => {
  const server = await serverThat(t, () => '*-1\r\n');
  let isDoubted = false;
  const owner: NodeOwner = {
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
