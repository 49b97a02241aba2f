import assert from 'node:assert/strict';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { test, type TestContext } from 'node:test';

import { SecretText } from '../../../src/api/secret-text.ts';
import { freePorts } from '../../../src/demo/child-process.ts';
import { eventually } from '../../../src/demo/eventually.ts';
import type { Credentials } from '../../../src/plan/routing-plan.ts';
import { ANSWER_MS, Conversation } from '../../../src/proxy/topology/conversation.ts';
import { keepaliveOf } from '../../../src/proxy/wire/socket.ts';
import { serverThat } from '../servers.ts';

function conversationWith(t: TestContext, port: number, credentials?: Credentials): Conversation {
  const conversation = new Conversation({
    host: '127.0.0.1',
    port,
    connectTimeoutMs: 5_000,
    credentials,
    tls: undefined,
    keepalive: keepaliveOf(undefined),
    isClusterNode: true,
  });
  t.after(() => conversation.close());
  return conversation;
}

test('a conversation that is closed makes no connection again', async (t) => {
  const server = await serverThat(t, () => '+PONG\r\n');
  const conversation = conversationWith(t, server.port);
  assert.deepEqual(await conversation.ask([['PING']]), { values: ['PONG'] });
  conversation.close();
  assert.deepEqual(await conversation.ask([['PING']]), { failure: 'gone', why: 'closed' });
  assert.deepEqual(server.asked, ['PING']);
});

test('who answers while this process stands still has answered in time', async (t) => {
  let standsStillMs = 0;
  const server = await serverThat(t, () => {
    const until = performance.now() + standsStillMs;
    while (performance.now() < until);
    return '+PONG\r\n';
  });
  const conversation = conversationWith(t, server.port);
  await eventually('an answer', async () => 'values' in (await conversation.ask([['PING']])) || undefined);
  standsStillMs = ANSWER_MS + 300;
  assert.deepEqual(await conversation.ask([['PING']]), { values: ['PONG'] });
});

test('a connection that was lost before it was let in is not kept for ever', async (t) => {
  const lost = new Set<Socket>();
  const server = await serverThat(t, (words, socket) => {
    if (lost.size === 0) lost.add(socket);
    if (lost.has(socket)) return undefined;
    return words === 'PING' ? '+PONG\r\n' : '+OK\r\n';
  });
  const password = new SecretText('secret');
  const conversation = conversationWith(t, server.port, { username: undefined, password });
  const answer = await eventually('an answer', async () => {
    const said = await conversation.ask([['PING']]);
    return 'values' in said ? said : undefined;
  });
  assert.deepEqual(answer, { values: ['PONG'] });
});

test('who talks with nobody any more leaves nothing behind that would keep the process', async (t) => {
  const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
  const [port = 0] = await freePorts(1);
  const before = timers();
  const conversation = conversationWith(t, port);
  const answer = await conversation.ask([['PING']]);
  assert.equal('failure' in answer && answer.why, 'ECONNREFUSED');
  conversation.close();
  assert.equal(timers(), before);
});

test('who asks while another one is connecting does not end its question', async (t) => {
  const server = await serverThat(t, (words) => (words === 'PING' ? '+PONG\r\n' : '+OK\r\n'));
  const conversation = conversationWith(t, server.port);
  const answers = await Promise.all([conversation.ask([['PING']]), conversation.ask([['READONLY']])]);
  assert.deepEqual(answers, [{ values: ['PONG'] }, { values: ['OK'] }]);
});

test('who has been silent for long is asked by another connection, of which the end of the one before is not', async (t) => {
  const sockets: Socket[] = [];
  // As one that is stopped, which does not even hang up.
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.push(socket.on('error', () => {}));
  });
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const conversation = conversationWith(t, (server.address() as AddressInfo).port);
  const failures: string[] = [];
  while (sockets.length < 3) {
    const answer = await conversation.ask([['PING']]);
    failures.push('failure' in answer ? answer.failure : 'an answer');
  }
  assert.deepEqual([...new Set(failures)], ['silent']);
});
