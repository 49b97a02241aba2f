import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { connect as connectPlain } from 'node:net';
import { join } from 'node:path';
import { before, after, test, type TestContext } from 'node:test';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';

import { type ChannelCredentials, credentials, status } from '@grpc/grpc-js';

import { removeFolder, temporaryFolder } from '../../src/demo/child-process.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { NAMESPACE } from '../../src/envoy/node-view.ts';
import { type Authority, createAuthority, type KeyPair } from '../../src/tls/authority.ts';
import type { CertificateFiles } from '../../src/tls/certificate-files.ts';
import type { Limits } from '../../src/xds/limits.ts';
import type { XdsServerOptions } from '../../src/xds/server.ts';
import { spiffe, validForSeconds, writeFiles } from '../tls/certificates.ts';
import { assertSilent, NODE, SERVED, type Stage, stage } from './surroundings.ts';

const HOUR = validForSeconds(3_600);

let authority: Authority;
let foreign: Authority;
let folder: string;
before(async () => {
  authority = await createAuthority(HOUR);
  foreign = await createAuthority(HOUR);
  folder = await temporaryFolder('tls');
});
after(() => removeFolder(folder));

async function serverFiles(name: string): Promise<CertificateFiles> {
  const pair = await authority.issueServer(['localhost'], HOUR);
  return await writeFiles(join(folder, name), authority.certificate, pair);
}

async function tlsStage(t: TestContext, options: Partial<XdsServerOptions> = {}): Promise<Stage> {
  const tls = { files: await serverFiles(t.name.slice(0, 40)), clusterDomain: 'cluster.local', everyMs: 5 };
  const here = await stage(SERVED, { tls, ...options });
  t.after(() => here[Symbol.asyncDispose]());
  return here;
}

function channel({ certificate, key }: KeyPair): ChannelCredentials {
  return credentials.createSsl(
    Buffer.from(authority.certificate),
    Buffer.from(key),
    Buffer.from(certificate),
  );
}

async function shopChannel(): Promise<ChannelCredentials> {
  return channel(await authority.issueClient(spiffe('shop'), HOUR));
}

function claiming(namespace: string): object {
  return { node: { ...NODE.node, metadata: { fields: { [NAMESPACE]: { stringValue: namespace } } } } };
}

for (const [claim, node] of [
  ['nothing', NODE],
  ['the same', claiming('shop')],
  ['an empty one', claiming('')],
] as const) {
  test(`a node that claims ${claim} is of its certificate's namespace`, async (t) => {
    const here = await tlsStage(t);
    const stream = here.client(await shopChannel()).stream('delta');
    stream.send('LDS', node);
    assert.deepEqual((await stream.next()).resources, ['l=LDS l@1']);
    assert.equal(here.source.nodes[0]?.metadata[NAMESPACE], 'shop');
  });
}

const tooMuch: [what: string, limits: Partial<Limits>, expected: string][] = [
  ['streams', { namespaceStreams: 1 }, 'there are 1 streams of the namespace shop already'],
  [
    'requests',
    { namespaceRequestBurst: 3, namespaceRequestsPerSecond: 1 },
    'more than 1 requests a second from the namespace shop',
  ],
];

for (const [what, limits, expected] of tooMuch) {
  test(`too many ${what} of one namespace are refused, whichever connections they come on, and no other's`, async (t) => {
    const here = await tlsStage(t, { limits });
    const first = here.client(await shopChannel()).stream('delta');
    first.send('LDS', NODE);
    first.ack(await first.next());
    const second = here.client(await shopChannel()).stream('delta');
    second.send('LDS', NODE);
    second.send('CDS');
    const { code, details } = await second.status();
    assert.deepEqual([code, details], [status.RESOURCE_EXHAUSTED, expected]);
    const other = here.client(channel(await authority.issueClient(spiffe('pay'), HOUR))).stream('delta');
    other.send('LDS', NODE);
    await other.next();
    first.cancel();
    await eventually('the first is over', async () =>
      here.server.streams().length === 1 ? true : undefined,
    );
    here.clock.pass(2_000);
    const third = here.client(await shopChannel()).stream('delta');
    third.send('LDS', NODE);
    await third.next();
  });
}

const forbidden: [what: string, uri: string, node: object, expected: RegExp][] = [
  [
    'claims another namespace than its certificate says',
    spiffe('shop'),
    claiming('pay'),
    /^the node names the namespace "pay", but its certificate is of "shop"; drop redpilot\.namespace/,
  ],
  [
    'has a certificate without a namespace',
    'spiffe://cluster.local/x',
    NODE,
    /^the certificate's name .* is not of the form/,
  ],
];
for (const [what, uri, node, expected] of forbidden) {
  test(`a node that ${what} is refused, and gets nothing`, async (t) => {
    const here = await tlsStage(t);
    const stream = here.client(channel(await authority.issueClient(uri, HOUR))).stream('delta');
    stream.send('LDS', node);
    const { code, details } = await stream.status();
    assert.equal(code, status.PERMISSION_DENIED);
    assert.match(details, expected);
    assert.equal(stream.received, 0);
    assert.deepEqual(here.source.nodes, []);
    const line = here.log.find(({ level }) => level === 'warn');
    assert.equal(line?.message, 'request refused');
    assert.equal(line.fields['node'], 'sidecar-1');
    assert.match(String(line.fields['problem']), expected);
  });
}

interface Shown {
  readonly pair?: KeyPair;
  readonly alpn?: string;
}

/** As a client that writes a request at once; what it got until it was cut off. */
async function bytesUntilClosed(address: string, { pair, alpn = 'h2' }: Shown): Promise<number> {
  const socket = dial(address, pair, { ALPNProtocols: [alpn] });
  let bytes = 0;
  socket.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
  });
  socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0');
  socket.on('error', () => {});
  await once(socket, 'close');
  return bytes;
}

/** As many as come first, or none at the end. */
async function bytesAtFirst(address: string, pair: KeyPair): Promise<number> {
  const socket = dial(address, pair);
  socket.on('error', () => {});
  return await new Promise((resolve) => {
    socket.once('data', (chunk: Buffer) => {
      resolve(chunk.length);
      socket.destroy();
    });
    socket.once('close', () => resolve(0));
  });
}

function dial(address: string, pair: KeyPair | undefined, more: ConnectionOptions = {}): TLSSocket {
  const port = Number(address.split(':')[1]);
  return connect({
    port,
    host: '127.0.0.1',
    servername: 'localhost',
    ca: authority.certificate,
    ...(pair && { cert: pair.certificate, key: pair.key }),
    ALPNProtocols: ['h2'],
    ...more,
  });
}

const refused: [what: string, shown: () => Promise<Shown>, reason: RegExp][] = [
  ['without a certificate', async () => ({}), /^it has no certificate$/],
  [
    'with a certificate of a foreign authority',
    async () => ({ pair: await foreign.issueClient(spiffe('shop'), HOUR) }),
    /^its certificate is from an authority that is not in --tls-ca \(URI:spiffe:.*, until .*\)$/,
  ],
  [
    'with an expired certificate',
    async () => ({ pair: await authority.issueClient(spiffe('shop'), validForSeconds(-5)) }),
    /^its certificate has expired \(URI:spiffe:/,
  ],
  [
    "with a server's certificate",
    async () => ({ pair: await authority.issueServer(['a.shop.svc'], HOUR) }),
    /^its certificate is not for clients \(DNS:a\.shop\.svc/,
  ],
];
for (const [what, shown, reason] of refused) {
  test(`a client ${what} is refused without a byte, with the reason in the log`, async (t) => {
    const here = await tlsStage(t);
    assert.equal(await bytesUntilClosed(here.server.address, await shown()), 0);
    const line = here.log.find(({ level }) => level === 'warn');
    assert.equal(line?.message, 'connection refused');
    assert.match(String(line.fields['reason']), reason);
    assert.match(String(line.fields['peer']), /^127\.0\.0\.1:\d+$/);
    assert.match(await here.metrics.metrics(), /redpilot_xds_connections_refused_total 1/);
  });
}

test('a client that speaks no TLS is refused, with the reason in the log', async (t) => {
  const here = await tlsStage(t);
  const socket = connectPlain(Number(here.server.address.split(':')[1]), '127.0.0.1');
  socket.on('error', () => {});
  socket.write('GET / HTTP/1.1\r\n\r\n');
  await once(socket, 'close');
  const line = here.log.find(({ level }) => level === 'warn');
  assert.match(String(line?.fields['reason']), /^no TLS handshake: /);
});

test('certificates are renewed under load: streams go on, new connections get the new one, none fails', async (t) => {
  const files = await serverFiles('renewed');
  const here = await tlsStage(t, { tls: { files, clusterDomain: 'cluster.local', everyMs: 5 } });
  const client = await shopChannel();
  const stream = here.client(client).stream('delta');
  stream.send('LDS', NODE);
  stream.ack(await stream.next());
  const pair = await authority.issueClient(spiffe('shop'), HOUR);
  const presented = async (): Promise<string> => {
    const socket = dial(here.server.address, pair);
    // The server speaks first, when it has taken the certificate.
    await once(socket, 'data');
    const fingerprint = socket.getPeerX509Certificate()?.fingerprint256 ?? '';
    socket.destroy();
    return fingerprint;
  };
  for (let round = 1; round <= 5; round++) {
    const renewed = await authority.issueServer(['localhost'], HOUR);
    await writeFiles(join(folder, 'renewed'), authority.certificate, renewed);
    const expected = new X509Certificate(readFileSync(files.cert)).fingerprint256;
    let pushed = 0;
    await eventually('the new certificate', async () => {
      pushed += 1;
      here.source.set({ ...SERVED, LDS: `l@${round}.${pushed}` });
      const message = await stream.next();
      assert.deepEqual(message.resources, [`l=LDS l@${round}.${pushed}`]);
      stream.ack(message);
      const other = here.client(client).stream('state of the world');
      other.send('LDS', NODE);
      assert.equal((await other.next()).resources.length, 1);
      return (await presented()) === expected ? true : undefined;
    });
  }
  const refused = here.log.filter(({ message }) => message.endsWith(' refused'));
  assert.deepEqual(refused, []);
});

test('other authorities hold for new connections, and open streams go on', async (t) => {
  const files = await serverFiles('authorities');
  const here = await tlsStage(t, { tls: { files, clusterDomain: 'cluster.local', everyMs: 5 } });
  const stream = here.client(await shopChannel()).stream('delta');
  stream.send('LDS', NODE);
  stream.ack(await stream.next());
  const theirs = await foreign.issueClient(spiffe('shop'), HOUR);
  assert.equal(await bytesUntilClosed(here.server.address, { pair: theirs }), 0);
  await writeFile(files.ca, foreign.certificate);
  const ours = await authority.issueClient(spiffe('shop'), HOUR);
  await eventually('refused', async () =>
    (await bytesAtFirst(here.server.address, ours)) === 0 ? true : undefined,
  );
  assert.ok((await bytesAtFirst(here.server.address, theirs)) > 0);
  await assertSilent(stream, 'delta');
});

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  test(`${version}: a session is not resumed, so that each connection shows its certificate`, async (t) => {
    const here = await tlsStage(t);
    const pair = await authority.issueClient(spiffe('shop'), HOUR);
    const first = dial(here.server.address, pair, { maxVersion: version });
    const sessions: Buffer[] = [];
    first.on('session', (session) => sessions.push(session));
    await once(first, 'data');
    const session = sessions.at(-1) ?? first.getSession();
    first.destroy();
    const second = dial(here.server.address, pair, { maxVersion: version, session });
    await once(second, 'data');
    assert.equal(second.getProtocol(), version);
    assert.equal(second.isSessionReused(), false);
    second.destroy();
  });
}

test('a connection ends when its certificate does, and another one does not', async (t) => {
  const here = await tlsStage(t);
  const short = here
    .client(channel(await authority.issueClient(spiffe('shop'), validForSeconds(600))))
    .stream('delta');
  const long = here.client(await shopChannel()).stream('delta');
  for (const stream of [short, long]) {
    stream.send('LDS', NODE);
    await stream.next();
  }
  here.clock.pass(590_000);
  await assertSilent(short, 'delta');
  here.clock.pass(11_000);
  const { code, details } = await short.status();
  assert.equal(code, status.UNAVAILABLE);
  assert.equal(details, 'the certificate has expired');
  await assertSilent(long, 'delta');
});

test('at its end the server does not wait for handshakes that nobody goes on with', async (t) => {
  const here = await tlsStage(t);
  const mute = connectPlain(Number(here.server.address.split(':')[1]), '127.0.0.1');
  mute.on('error', () => {});
  await once(mute, 'connect');
  // The server has taken it as soon as it has taken a later one.
  await bytesUntilClosed(here.server.address, {});
  const closed = here.server.close();
  here.clock.pass(2_000);
  await closed;
  const reasons = here.log.map(({ fields }) => fields['reason']).filter((reason) => reason !== undefined);
  assert.deepEqual(reasons, ['it has no certificate'], 'no time limit of a handshake was waited for');
});

test('when the certificate in force ends is a metric, which follows it', async (t) => {
  const files = await serverFiles('expiry');
  const here = await tlsStage(t, { tls: { files, clusterDomain: 'cluster.local', everyMs: 5 } });
  const shown = async (): Promise<number> =>
    Number(/certificate_not_after_seconds ([\d.e+]+)/.exec(await here.metrics.metrics())?.[1]);
  assert.equal(await shown(), Math.floor(HOUR.notAfter.getTime() / 1_000));
  const later = validForSeconds(7_200);
  await writeFiles(
    join(folder, 'expiry'),
    authority.certificate,
    await authority.issueServer(['localhost'], later),
  );
  const expected = Math.floor(later.notAfter.getTime() / 1_000);
  await eventually('the later end', async () => ((await shown()) === expected ? true : undefined));
});

test('a server whose files are not usable does not start, with one line', async () => {
  const files = { ca: 'ca.crt', cert: 'tls.crt', key: 'tls.key' };
  await assert.rejects(stage(SERVED, { tls: { files, clusterDomain: 'cluster.local' } }), {
    message: '--tls-ca ca.crt: there is no such file; give the path of a PEM file',
  });
});
