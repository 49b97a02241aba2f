import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { connect as connectTls, type ConnectionOptions } from 'node:tls';

import { eventually } from '../../src/demo/eventually.ts';
import { HandshakeLog } from '../../src/proxy/handshake-log.ts';
import { ListenerTls } from '../../src/proxy/listener-tls.ts';
import { createAuthority } from '../../src/tls/authority.ts';
import { validForSeconds } from '../tls/certificates.ts';

const hour = validForSeconds(3_600);

/** A listener for clients with a certificate of ours, and what is told of those that are refused. */
async function listener(t: TestContext): Promise<{ readonly port: number; readonly lines: string[] }> {
  const authority = await createAuthority(hour);
  const { certificate, key } = await authority.issueServer(['localhost'], hour);
  const lines: string[] = [];
  const log = new HandshakeLog({ warn: (line: string) => lines.push(line) } as never);
  const files = {
    cert: Buffer.from(certificate),
    key: Buffer.from(key),
    ca: Buffer.from(authority.certificate),
  };
  const opened = new ListenerTls(files, (client, error) => log.tell(client, error)).open(() => {});
  const server = createServer({ pauseOnConnect: true }, (socket) => opened.take(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    opened.close();
  });
  return { port: (server.address() as AddressInfo).port, lines };
}

async function refused(port: number, options: ConnectionOptions = {}): Promise<void> {
  const client = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options });
  client.on('error', () => {});
  client.resume();
  await new Promise((resolve) => client.once('close', resolve));
}

async function told(lines: readonly string[], what: RegExp): Promise<void> {
  await eventually('a warning', () => lines.some((line) => what.test(line)) || undefined, {
    deadlineMs: 20_000,
    seen: () => lines.join('\n'),
  });
}

test('a client that speaks no TLS is told, with its address', async (t) => {
  const { port, lines } = await listener(t);
  const client = connect(port, '127.0.0.1');
  t.after(() => client.destroy());
  client.on('error', () => {});
  client.write('PING\r\n');
  await told(lines, /handshake failed \(127\.0\.0\.1\): it speaks no TLS; let it/);
});

test('a client without a certificate is told', async (t) => {
  const { port, lines } = await listener(t);
  await refused(port);
  await told(lines, /it has no certificate; give it one/);
});

test('a client with a certificate of somebody else is told', async (t) => {
  const { port, lines } = await listener(t);
  const other = await (await createAuthority(hour)).issueServer(['client'], hour);
  await refused(port, { cert: other.certificate, key: other.key });
  await told(lines, /its certificate is refused: [A-Z_]+; give it one/);
});

test('the same reason is told once a minute, and a client that goes never', () => {
  const lines: string[] = [];
  const log = new HandshakeLog({ warn: (line: string) => lines.push(line) } as never);
  const error = Object.assign(new Error('no certificate'), {
    code: 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE',
  });
  for (let now = 0; now < 60_000; now += 1_000) log.tell('10.0.0.1', error, now);
  assert.equal(lines.length, 1);
  log.tell('10.0.0.1', error, 60_000);
  assert.match(lines[1] ?? '', /; so did 59 more since that was last told$/);
  log.tell('10.0.0.1', Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' }), 70_000);
  assert.equal(lines.length, 2);
});

test('a client that does not believe our certificate is told with the remedy', () => {
  const lines: string[] = [];
  const log = new HandshakeLog({ warn: (line: string) => lines.push(line) } as never);
  const alert = 'tlsv1 alert unknown ca';
  const message = `40E3:error:0A000418:SSL routines:ssl3_read_bytes:${alert}:../rec_layer_s3.c:916:SSL alert number 48`;
  log.tell('10.0.0.1', Object.assign(new Error(message), { code: 'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA' }));
  assert.match(lines[0] ?? '', /alert unknown ca: it does not believe .*; tell it who has signed that/);
});
