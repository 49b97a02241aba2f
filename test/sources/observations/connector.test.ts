import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { test } from 'node:test';

import { Redis } from 'ioredis';

import { Connector } from '../../../src/sources/observations/connector.ts';

test('every error of a socket is heard, and the first one is told', async (t) => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const connector = new Connector({ host: '127.0.0.1', port: (server.address() as AddressInfo).port });
  const socket = await connector.connect();
  t.after(() => socket.destroy());
  const [first, second] = [new Error('a certificate was refused'), new Error('an alert came behind it')];
  socket.emit('error', first);
  assert.doesNotThrow(() => socket.emit('error', second));
  assert.equal(connector.firstError, first);
});

test('one that is disconnected at once opens nothing', async () => {
  const connector = new Connector({ host: '127.0.0.1', port: 1 });
  const connected = connector.connect();
  connector.disconnect();
  await assert.rejects(connected, /Connection is closed/);
});

for (const [what, answer] of [
  ['a push that begins with nothing', '>1\r\n_\r\n'],
  ['a push in RESP2', '>3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n'],
  ['a null that nobody asked for', '+PONG\r\n$-1\r\n'],
] as const) {
  test(`${what} ends the connection, and not the process`, async (t) => {
    const server = createServer((socket) => socket.on('data', () => socket.write(answer)));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => server.close());
    const { port } = server.address() as AddressInfo;
    const client = new Redis({
      Connector,
      host: '127.0.0.1',
      port,
      protocol: 2,
      lazyConnect: true,
      enableReadyCheck: false,
      disableClientInfo: true,
      retryStrategy: () => null,
    });
    t.after(() => client.disconnect());
    const errors: Error[] = [];
    client.on('error', (error) => errors.push(error));
    await client.connect();
    const ended = new Promise((resolve) => client.once('end', resolve));
    client.ping().catch(() => {});
    await ended;
    assert.match(String(errors[0]), /it answers as no Redis does/);
  });
}
