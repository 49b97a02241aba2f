import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { test, type TestContext } from 'node:test';

import { eventually } from '../../../src/demo/eventually.ts';
import type { UpstreamTls } from '../../../src/plan/routing-plan.ts';
import type { ConnectionOwner } from '../../../src/proxy/wire/connection-owner.ts';
import { Connection } from '../../../src/proxy/wire/connection.ts';
import { LATENCY_NUMBERS } from '../../../src/proxy/wire/latency.ts';
import { encodeCommand } from '../../../src/proxy/wire/encode.ts';
import { keepaliveOf } from '../../../src/proxy/wire/socket.ts';
import { finishRequest, takeRequest, type Request } from '../../../src/proxy/wire/request.ts';
import { weakUpstreamTls } from '../../tls/certificates.ts';

const OWNER: ConnectionOwner = {
  opened() {},
  heard() {},
  loginRefused(): void {},
  refused: () => false,
  lost() {},
  closed() {},
};

/** A connection to a server that says what the test wants it to say. */
async function setUp(
  t: TestContext,
  owner: ConnectionOwner = OWNER,
  tls?: UpstreamTls,
): Promise<{ readonly connection: Connection; readonly server: Socket; readonly received: () => number }> {
  const accepting = createServer();
  await new Promise<void>((resolve) => {
    accepting.listen(0, '127.0.0.1', () => resolve());
  });
  t.after(() => accepting.close());
  const accepted = new Promise<Socket>((resolve) => {
    accepting.once('connection', resolve);
  });
  const connection = new Connection(
    {
      host: '127.0.0.1',
      port: (accepting.address() as AddressInfo).port,
      connectTimeoutMs: 5_000,
      keepalive: keepaliveOf(undefined),
      tls,
      handshake: [],
      pushes: null,
      latency: new Float64Array(LATENCY_NUMBERS),
    },
    owner,
  );
  t.after(() => connection.destroy('the test is over'));
  const server = await accepted;
  let bytes = 0;
  server.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
  });
  server.on('error', () => {});
  return { connection, server, received: () => bytes };
}

/** Notes its replies. */
function requestTo(replies: string[]): Request {
  const request = takeRequest();
  request.sink = {
    deliver: (_, bytes, start, end) => {
      replies.push(Buffer.from(bytes.subarray(start, end)).toString());
    },
  };
  return request;
}

const COMMAND = encodeCommand('SET', 'key', 'x'.repeat(900));
/** More than a block of short commands holds. */
const COUNT = 40;

test('a block that is answered while the next one waits to be written leaves nothing unwritten', async (t) => {
  const { connection, server, received } = await setUp(t);
  const replies: string[] = [];
  const send = (): void => connection.append(requestTo(replies), COMMAND, 0, COMMAND.length);
  let sent = 0;
  for (let round = 0; round < 30; round++) {
    send();
    sent += 1;
    await eventually('the command', () => (received() === sent * COMMAND.length ? true : undefined), {
      everyMs: 1,
    });
    // In one turn: the answer to all there is, and commands that need further blocks; the writing comes after both.
    await new Promise<void>((resolve) => {
      setImmediate(() => {
        server.write('+OK\r\n'.repeat(sent - replies.length));
        for (let count = 0; count < COUNT; count++) send();
        sent += COUNT;
        resolve();
      });
    });
    await eventually('all commands', () => (received() === sent * COMMAND.length ? true : undefined), {
      everyMs: 1,
    });
  }
  server.write('+OK\r\n'.repeat(sent - replies.length));
  await eventually('all replies', () => (replies.length === sent ? true : undefined));
  assert.equal(connection.pending, 0);
});

test('a request that was used more often than a number has bits for is answered all the same', async (t) => {
  const { connection, server } = await setUp(t);
  const replies: string[] = [];
  const request = requestTo(replies);
  request.generation = 2 ** 32 - 3;
  for (let round = 1; round <= 5; round++) {
    finishRequest(request);
    connection.append(request, COMMAND, 0, COMMAND.length);
    server.write('+OK\r\n');
    await eventually('the reply', () => replies.length === round || undefined);
  }
});

test('whom a connection held up goes on once it counts as closed, or would be sent to it', async (t) => {
  const seen: string[] = [];
  const { connection } = await setUp(t, { ...OWNER, closed: () => void seen.push('closed') });
  connection.paused.add({ resumeAfter: () => void seen.push('goes on') });
  connection.destroy('the test is over');
  assert.deepEqual(seen, ['closed', 'goes on']);
});

test('a certificate that OpenSSL refuses ends the connection, and nothing else', async (t) => {
  const problems: string[] = [];
  const connection = new Connection(
    {
      host: '127.0.0.1',
      port: 1,
      connectTimeoutMs: 5_000,
      keepalive: keepaliveOf(undefined),
      tls: await weakUpstreamTls(),
      handshake: [],
      pushes: null,
      latency: new Float64Array(LATENCY_NUMBERS),
    },
    { ...OWNER, closed: (_, problem) => void problems.push(problem) },
  );
  t.after(() => connection.destroy('the test is over'));
  await eventually('its end', () => connection.isClosed || undefined);
  assert.deepEqual(problems, ['ERR_SSL_EE_KEY_TOO_SMALL']);
});

test('what waits for a connection to be made holds up who sends more than a mebibyte of it', async (t) => {
  // It says nothing: under TLS nothing can be written until it does.
  const { connection, server } = await setUp(t, OWNER, {
    serverName: 'redis',
    skipVerification: true,
    authorities: undefined,
    certificate: undefined,
  });
  await once(server, 'data');
  const long = encodeCommand('SET', 'key', 'x'.repeat(400_000));
  const congestion = [1, 2, 3].map(() => {
    connection.append(null, long, 0, long.length);
    connection.flush();
    return connection.isCongested;
  });
  assert.deepEqual(congestion, [false, false, true]);
});

for (const [reply, isAtRest] of [
  ['+OK\r\n', true],
  ['-ERR not now\r\n', false],
] as const) {
  test(`who gets a connection next is to find it as its client asked: ${isAtRest ? '' : 'not '}after ${reply.trim()}`, async (t) => {
    const { connection, server } = await setUp(t);
    const multi = encodeCommand('MULTI');
    connection.append(null, multi, 0, multi.length);
    server.write(reply);
    await eventually('the reply', () => connection.pending === 0 || undefined);
    assert.equal(connection.isAtRest, isAtRest);
  });
}

test('a node that reads all and answers nothing gets no more than so many commands', async (t) => {
  const { connection, server, received } = await setUp(t);
  const ping = encodeCommand('PING');
  const send = (count: number): void => {
    for (let index = 0; index < count; index++) connection.append(null, ping, 0, ping.length);
  };
  send(65_536);
  await eventually('all of it', () => received() === 65_536 * ping.length || undefined);
  assert.equal(connection.isCongested, false);
  send(1);
  await eventually('one more', () => received() === 65_537 * ping.length || undefined);
  assert.equal(connection.isCongested, true);
  server.write('+PONG\r\n'.repeat(40_000));
  await eventually('room again', () => !connection.isCongested || undefined);
});
