import { createServer, connect, type AddressInfo } from 'node:net';
import { test } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { ListenerTls } from '../../src/proxy/listener-tls.ts';
import { createAuthority } from '../../src/tls/authority.ts';
import { validForSeconds } from '../tls/certificates.ts';

test('who has not shaken hands yet is closed with the listener', async (t) => {
  const authority = await createAuthority(validForSeconds(3_600));
  const { certificate, key } = await authority.issueServer(['localhost'], validForSeconds(3_600));
  const tls = new ListenerTls({ cert: Buffer.from(certificate), key: Buffer.from(key), ca: undefined });
  const opened = tls.open(() => {});
  let isTaken = false;
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    opened.take(socket);
    isTaken = true;
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve());
  });
  t.after(() => server.close());
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  t.after(() => client.destroy());
  let isClosed = false;
  client.on('error', () => {});
  client.on('close', () => (isClosed = true));
  client.resume();
  await eventually('it is taken', () => isTaken || undefined);
  opened.close();
  // Before the time limit of the handshake is over.
  await eventually('its end', () => isClosed || undefined, { deadlineMs: 8_000 });
});
