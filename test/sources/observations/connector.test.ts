import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { test } from 'node:test';

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
