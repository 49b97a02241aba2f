/**
 * What our clients say where something else listens: one line that says what to give.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net, { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { after, before, test, type TestContext } from 'node:test';
import { createServer as createTlsServer } from 'node:tls';

import { askAdmin } from '../src/admin/ask-admin.ts';
import { removeFolder, temporaryFolder } from '../src/demo/child-process.ts';
import { LISTENER_TYPE } from '../src/envoy/resource.ts';
import { createAuthority, type KeyPair } from '../src/tls/authority.ts';
import { readCertificates, type CertificateFiles } from '../src/tls/certificate-files.ts';
import { type HostAndPort, getResources, XdsClient } from '../src/xds/index.ts';
import { spiffe, validForSeconds, writeFiles } from './tls/certificates.ts';

let folder: string;
let files: CertificateFiles;
let server: KeyPair;
let misnamed: KeyPair;
let foreign: KeyPair;
let expired: KeyPair;
let ca: string;
before(async () => {
  const validity = validForSeconds(3_600);
  const authority = await createAuthority(validity);
  folder = await temporaryFolder('strangers');
  ca = authority.certificate;
  files = await writeFiles(folder, ca, await authority.issueClient(spiffe('shop'), validity));
  server = await authority.issueServer(['127.0.0.1'], validity);
  misnamed = await authority.issueServer(['redpilot.example'], validity);
  foreign = await (await createAuthority(validity)).issueServer(['127.0.0.1'], validity);
  const hourAgo = new Date(Date.now() - 3_600_000);
  expired = await authority.issueServer(['127.0.0.1'], {
    notBefore: hourAgo,
    notAfter: new Date(Date.now() - 1_000),
  });
});
after(() => removeFolder(folder));

const answerWith =
  (answer: string) =>
  (socket: Socket): void => {
    socket.on('error', () => {});
    socket.once('data', () => socket.end(answer));
  };

/** The real thing, with a certificate of its own. */
const withPair = ({ certificate, key }: KeyPair): Server =>
  createTlsServer({ cert: certificate, key, ALPNProtocols: ['h2', 'http/1.1'] }).on(
    'tlsClientError',
    () => {},
  );

const STRANGERS = {
  plain: () => createServer(answerWith('HTTP/1.1 200 OK\r\n\r\n')),
  'proxy admin': () => createServer(answerWith('HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n')),
  misnamed: () => withPair(misnamed),
  foreign: () => withPair(foreign),
  expired: () => withPair(expired),
  closing: () => createServer(answerWith('')),
  redis: () => createServer(answerWith("-ERR unknown command 'GET'\r\n")),
  tls: () =>
    createTlsServer({ cert: server.certificate, key: server.key, ca, ALPNProtocols: ['http/1.1'] }).on(
      'tlsClientError',
      () => {},
    ),
  silent: () => createServer((socket) => void socket.on('error', () => {})),
} satisfies Record<string, () => Server>;

async function listen(t: TestContext, stranger: Server): Promise<HostAndPort> {
  stranger.listen(0, '127.0.0.1');
  await once(stranger, 'listening');
  t.after(() => stranger.close());
  return { host: '127.0.0.1', port: (stranger.address() as AddressInfo).port };
}

async function client(address: HostAndPort, connectLimitMs?: number): Promise<XdsClient> {
  return new XdsClient({
    address,
    tls: await readCertificates(files),
    variant: 'delta',
    node: { id: 'a', namespace: undefined },
    ...(connectLimitMs === undefined ? {} : { connectLimitMs }),
  });
}

async function firstResponse(asking: XdsClient): Promise<void> {
  const once = { names: [], refusal: undefined, watch: false };
  for await (const response of getResources(asking, LISTENER_TYPE, once))
    assert.fail(JSON.stringify(response));
}

const DISBELIEF = [
  [
    'misnamed',
    /is not for 127\.0\.0\.1(?:, but for [\w.:]+)?; ask it by a name of its certificate, or .*\(redpilot certs --force --server-name 127\.0\.0\.1\)$/,
  ],
  ['foreign', /: its certificate is from an authority that is not in --tls-ca; give the ca\.crt/],
  ['expired', /: its certificate has ended; renew it$/],
] as const;

const XDS: readonly (readonly [what: keyof typeof STRANGERS, said: RegExp])[] = [
  ['plain', /speaks no TLS; give the address .* --xds-address, and leave out --tls-ca/],
  ['tls', /speaks no gRPC; give the address .* --xds-address \(the admin has another\)$/],
  ...DISBELIEF,
];
for (const [what, said] of XDS) {
  test(`xDS by TLS, asked where a ${what} port is`, async (t) => {
    const asking = await client(await listen(t, STRANGERS[what]()));
    await assert.rejects(firstResponse(asking), ({ message }: Error) => {
      assert.match(message, said);
      assert.doesNotMatch(message, /openssl|\n/);
      return true;
    });
  });
}

test('xDS by TLS, asked where nobody answers: the connection does not outlive the client', async (t) => {
  const silent = STRANGERS.silent();
  const address = await listen(t, silent);
  const accepted = once(silent, 'connection') as Promise<[Socket]>;
  const asking = await client(address, 500);
  await assert.rejects(firstResponse(asking), /no connection within 0\.5 s; give the address/);
  const [socket] = await accepted;
  socket.resume();
  if (!socket.closed) await once(socket, 'close');
});

test('xDS by TLS, ended while it connects to where nobody answers: the connection does not outlive the client', async (t) => {
  const silent = STRANGERS.silent();
  const address = await listen(t, silent);
  const accepted = once(silent, 'connection') as Promise<[Socket]>;
  const { connect } = net;
  let asking: XdsClient | undefined;
  t.mock.method(net, 'connect', (...how: Parameters<typeof connect>) => {
    const socket = connect(...how);
    asking?.close();
    return socket;
  });
  asking = await client(address);
  const [socket] = await accepted;
  socket.resume();
  if (!socket.closed) await once(socket, 'close');
});

const ADMIN: readonly (readonly [what: keyof typeof STRANGERS, isByTls: boolean, said: RegExp])[] = [
  ['plain', true, /speaks no TLS; give the address .* --admin-address, and leave out --tls-ca/],
  ['redis', false, /speaks no HTTP; give the address .* --admin-address/],
  ['closing', false, /was closed; give the address .* --admin-address .*; with serve --admin-tls it needs/],
  ['closing', true, /was closed; give the address .* --admin-address \(xDS and Redis have others\)$/],
  ['proxy admin', false, /is not that of a control plane; give the address that serve has/],
  ...DISBELIEF.map(([what, said]) => [what, true, said] as const),
];
for (const [what, isByTls, said] of ADMIN) {
  test(`the admin ${isByTls ? 'by TLS' : 'in the clear'}, asked where a ${what} port is`, async (t) => {
    const address = await listen(t, STRANGERS[what]());
    await assert.rejects(
      askAdmin(address, '/debug/syncz', isByTls ? files : undefined),
      ({ message }: Error) => {
        assert.match(message, said);
        assert.doesNotMatch(message, /openssl|\n/);
        return true;
      },
    );
  });
}
