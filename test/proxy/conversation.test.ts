import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Conversation } from '../../src/proxy/conversation.ts';
import { keepaliveOf } from '../../src/proxy/socket.ts';
import { serverThat } from './servers.ts';

test('a conversation that is closed makes no connection again', async (t) => {
  const server = await serverThat(t, () => '+PONG\r\n');
  const conversation = new Conversation({
    host: '127.0.0.1',
    port: server.port,
    connectTimeoutMs: 5_000,
    credentials: undefined,
    tls: undefined,
    keepalive: keepaliveOf(undefined),
    isClusterNode: true,
  });
  t.after(() => conversation.close());
  assert.deepEqual(await conversation.ask([['PING']]), { values: ['PONG'] });
  conversation.close();
  assert.deepEqual(await conversation.ask([['PING']]), { failure: 'gone', why: 'closed' });
  assert.deepEqual(server.asked, ['PING']);
});
