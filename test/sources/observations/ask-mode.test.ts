import assert from 'node:assert/strict';
import { createServer, type AddressInfo } from 'node:net';
import { test, type TestContext } from 'node:test';
import { createServer as createTlsServer } from 'node:tls';

import { SecretText } from '../../../src/api/secret-text.ts';
import { freePorts, removeFolder, temporaryFolder } from '../../../src/demo/child-process.ts';
import { startRedis, stopRedis, type RedisConfig } from '../../../src/demo/redis-node.ts';
import { askMode } from '../../../src/sources/observations/ask-mode.ts';
import { createAuthority, validFor, type Authority } from '../../../src/tls/authority.ts';
import type { QuestionTls } from '../../../src/world/observation.ts';
import { needRedis } from '../../e2e/environment.ts';

const never = new AbortController().signal;
const plain = { credentials: undefined, tls: undefined };
const sesame = { ...plain, credentials: { username: undefined, password: new SecretText('sesame') } };

async function start(
  t: TestContext,
  options: { readonly from?: 'path' | 'wheel'; readonly config?: RedisConfig; readonly cluster?: boolean },
): Promise<{ readonly address: string; readonly port: number } | undefined> {
  const redis = await needRedis(t, options.from);
  if (redis === undefined) return undefined;
  const folder = await temporaryFolder('asked');
  t.after(() => removeFolder(folder));
  const [busPort = 0] = options.cluster ? await freePorts(1) : [];
  const node = await startRedis({
    server: redis.server,
    folder,
    ...(options.config === undefined ? {} : { config: options.config }),
    ...(options.cluster ? { busPort } : {}),
  });
  t.after(() => stopRedis(node));
  return { address: '127.0.0.1', port: node.port };
}

for (const from of ['path', 'wheel'] as const) {
  test(`a node of a Redis Cluster says cluster (Redis from the ${from})`, async (t) => {
    const at = await start(t, { from, cluster: true });
    if (at !== undefined) assert.equal(await askMode(at, plain, never), 'cluster');
  });

  test(`a server of its own says standalone (Redis from the ${from})`, async (t) => {
    const at = await start(t, { from });
    if (at !== undefined) assert.equal(await askMode(at, plain, never), 'standalone');
  });
}

test('a server that wants a password answers who has it', async (t) => {
  const at = await start(t, { config: { requirepass: 'sesame' } });
  if (at !== undefined) assert.equal(await askMode(at, sesame, never), 'standalone');
});

test('a server that wants no password answers who brings one, and nobody writes past the log', async (t) => {
  const at = await start(t, {});
  const warn = t.mock.method(console, 'warn', () => {});
  if (at !== undefined) assert.equal(await askMode(at, sesame, never), 'standalone');
  assert.equal(warn.mock.callCount(), 0);
});

test('a wrong password is told in the words of the server and with what to do, without the password', async (t) => {
  const at = await start(t, { config: { requirepass: 'open' } });
  if (at === undefined) return;
  await assert.rejects(askMode(at, sesame, never), (error: Error) => {
    assert.match(
      error.message,
      /^WRONGPASS [^.]*; correct the password, or whose it is, in its RedisDestination/,
    );
    assert.doesNotMatch(error.message, /sesame/);
    return true;
  });
});

test('so is that a password is wanted, or that INFO is denied', async (t) => {
  const config = { requirepass: 'open', user: ['asks on >sesame ~* +@all -info'] };
  const at = await start(t, { config });
  if (at === undefined) return;
  await assert.rejects(askMode(at, plain, never), { message: /^NOAUTH [^.]*; write its password as auth/ });
  const asks = { ...sesame, credentials: { ...sesame.credentials, username: 'asks' } };
  await assert.rejects(askMode(at, asks, never), {
    message: /^NOPERM .*; let that user send INFO, or write/,
  });
});

test('where nobody listens the failure names the address', async () => {
  const [port = 0] = await freePorts(1);
  await assert.rejects(
    askMode({ address: '127.0.0.1', port }, plain, never),
    new RegExp(`ECONNREFUSED 127.0.0.1:${port}`),
  );
});

/** What a scripted server answers to whatever comes; nothing where it is empty. */
async function scripted(t: TestContext, answer: string): Promise<{ address: string; port: number }> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', () => {
      if (answer !== '') socket.write(answer);
    });
    t.after(() => socket.destroy());
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  t.after(() => server.close());
  return { address: '127.0.0.1', port: (server.address() as AddressInfo).port };
}

test('a server that takes the connection and never answers costs a second', async (t) => {
  const at = await scripted(t, '');
  await assert.rejects(askMode(at, plain, never), { message: 'no answer within 1000 ms' });
});

test('what is no Redis is told to be none', async (t) => {
  const at = await scripted(t, 'HTTP/1.1 400 Bad Request\r\n\r\n');
  await assert.rejects(askMode(at, plain, never), {
    message: /^what it answers is not RESP, so it is no Redis;/,
  });
});

test('an INFO that names no mode is no answer', async (t) => {
  const at = await scripted(t, '$10\r\n# Server\r\n\r\n');
  await assert.rejects(askMode(at, plain, never), { message: 'its INFO names no mode' });
});

test('a sentinel says sentinel', async (t) => {
  const text = '# Server\r\nredis_version:7.0.15\r\nredis_mode:sentinel\r\n';
  const at = await scripted(t, `$${text.length}\r\n${text}\r\n`);
  assert.equal(await askMode(at, plain, never), 'sentinel');
});

test('a question that is withdrawn ends at once', async (t) => {
  const at = await scripted(t, '');
  const ended = new AbortController();
  const asked = askMode(at, plain, ended.signal);
  ended.abort();
  await assert.rejects(asked, { message: 'no longer asked' });
});

const CLUSTER_INFO = '# Server\r\nredis_mode:cluster\r\n';

/** A server with a certificate for that name or address, which lets in who has one of the same authority. */
async function scriptedTls(
  t: TestContext,
  name: string,
): Promise<{ readonly at: { address: string; port: number }; readonly authority: Authority }> {
  const authority = await createAuthority(validFor(1));
  const { certificate: cert, key } = await authority.issueServer([name], validFor(1));
  const options = { cert, key, ca: authority.certificate, requestCert: true, rejectUnauthorized: true };
  const server = createTlsServer(options, (socket) => {
    socket.on('error', () => {});
    socket.on('data', () => socket.write(`$${CLUSTER_INFO.length}\r\n${CLUSTER_INFO}\r\n`));
    t.after(() => socket.destroy());
  });
  server.on('tlsClientError', () => {});
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  t.after(() => server.close());
  return { at: { address: '127.0.0.1', port: (server.address() as AddressInfo).port }, authority };
}

async function tlsQuestion(
  authority: Authority,
  fields: Partial<QuestionTls> = {},
): Promise<{ readonly credentials: undefined; readonly tls: QuestionTls }> {
  const { certificate, key } = await authority.issueClient(
    'spiffe://cluster.local/ns/redis/sa/test',
    validFor(1),
  );
  const tls: QuestionTls = {
    serverName: 'redis.example.com',
    skipVerification: false,
    authorities: new SecretText(authority.certificate),
    certificate: { chain: new SecretText(certificate), key: new SecretText(key) },
    ...fields,
  };
  return { credentials: undefined, tls };
}

for (const name of ['redis.example.com', '10.0.0.1']) {
  test(`a server with TLS answers who trusts its authority and asks for ${name}`, async (t) => {
    const { at, authority } = await scriptedTls(t, name);
    assert.equal(await askMode(at, await tlsQuestion(authority, { serverName: name }), never), 'cluster');
  });
}

test('a certificate for another name is refused', async (t) => {
  const { at, authority } = await scriptedTls(t, 'other.example.com');
  await assert.rejects(
    askMode(at, await tlsQuestion(authority), never),
    /is for DNS:other\.example\.com, not for redis\.example\.com; write one of its names/,
  );
});

test('a certificate of another authority is refused', async (t) => {
  const { at, authority } = await scriptedTls(t, 'redis.example.com');
  const other = new SecretText((await createAuthority(validFor(1))).certificate);
  await assert.rejects(
    askMode(at, await tlsQuestion(authority, { authorities: other }), never),
    /certificate/,
  );
});

test('without authorities of its own a question trusts those of the system', async (t) => {
  const { at, authority } = await scriptedTls(t, 'redis.example.com');
  const question = await tlsQuestion(authority, { authorities: undefined });
  await assert.rejects(askMode(at, question, never), /certificate/);
});

test('a question that verifies nothing is answered by anybody', async (t) => {
  const { at, authority } = await scriptedTls(t, 'other.example.com');
  const question = await tlsQuestion(authority, { authorities: undefined, skipVerification: true });
  assert.equal(await askMode(at, question, never), 'cluster');
});

test('without the certificate that the server wants there is no answer', async (t) => {
  const { at, authority } = await scriptedTls(t, 'redis.example.com');
  await assert.rejects(askMode(at, await tlsQuestion(authority, { certificate: undefined }), never));
});

test('a server that speaks TLS, and is not asked for it, is told with the remedy', async (t) => {
  const { at } = await scriptedTls(t, 'redis.example.com');
  await assert.rejects(askMode(at, plain, never), /^Error: it speaks TLS; write trafficPolicy\.tls/);
});

test('a server that is asked for TLS, and speaks none, is told with the remedy', async (t) => {
  const at = await scripted(t, '-ERR unknown command\r\n');
  const question = await tlsQuestion(await createAuthority(validFor(1)));
  await assert.rejects(askMode(at, question, never), /: it speaks no TLS; give the port where it does/);
});
