import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { promisify } from 'node:util';

import { Redis } from 'ioredis';

import { freePorts, removeFolder, temporaryFolder } from '../../src/demo/child-process.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { startRedis, stopRedis } from '../../src/demo/redis-node.ts';
import { createAuthority, type Authority } from '../../src/tls/authority.ts';
import { spiffe, validForSeconds, writeFiles } from '../tls/certificates.ts';
import { needRedis, needRedisPy } from './environment.ts';
import { failedProxyCommand, startProxyCommand } from './proxy-command.ts';

const BIG = 'x'.repeat(3_000_000);

test('clients connect by TLS', async (t) => {
  const place = await startSecured(t, false);
  if (place === undefined) return;
  const { authority, port, folder } = place;

  await t.test('who only connects counts as a client until it goes', async () => {
    const clients = async (): Promise<string | undefined> =>
      /redpilot_proxy_clients (\d+)/.exec(await (await fetch(`${place.admin}/metrics`)).text())?.[1];
    const silent = connect(port, '127.0.0.1');
    silent.on('error', () => {});
    await eventually('a client', async () => ((await clients()) === '1' ? true : undefined));
    silent.destroy();
    await eventually('no client', async () => ((await clients()) === '0' ? true : undefined));
    const secured = await connectSecured(port, authority);
    await eventually('a client', async () => ((await clients()) === '1' ? true : undefined));
    secured.destroy();
    await eventually('no client', async () => ((await clients()) === '0' ? true : undefined));
  });

  await t.test('ioredis, small and large values, pipelined', async (t2) => {
    const redis = client(t2, port, { ca: authority.certificate });
    assert.equal(await redis.set('k', 'v'), 'OK');
    assert.equal(await redis.set('big', BIG), 'OK');
    const pipeline = redis.pipeline();
    for (let index = 0; index < 300; index++)
      pipeline.set(`p${index}`, `v${index}`).get(`p${index}`).get('k');
    const replies = (await pipeline.exec()) ?? [];
    assert.equal(replies.length, 900);
    for (let index = 0; index < 300; index++) assert.equal(replies[3 * index + 1]?.[1], `v${index}`);
    assert.equal(await redis.get('big'), BIG);
  });

  await t.test('redis-py', async (t2) => {
    const python = await needRedisPy(t2);
    if (python === undefined) return;
    const script =
      'import redis, sys\n' +
      'r = redis.Redis(port=int(sys.argv[1]), ssl=True, ssl_ca_certs=sys.argv[2])\n' +
      'r.set("python", "p"); print(r.get("python").decode(), r.mget("python", "k")[0].decode())\n';
    const { stdout } = await promisify(execFile)(python, [
      '-c',
      script,
      String(port),
      join(folder, 'ca.crt'),
    ]);
    assert.equal(stdout, 'p p\n');
  });

  await t.test('who does not trust the authority, or speaks no TLS, gets nothing', async (t2) => {
    await assert.rejects(client(t2, port, {}).get('k'));
    const plain = new Redis({ ...OPTIONS, port });
    plain.on('error', () => {});
    t2.after(() => plain.disconnect());
    await assert.rejects(plain.get('k'));
  });

  await t.test(
    'who does not believe our certificate is told, with its address and the remedy',
    async (t2) => {
      const python = await needRedisPy(t2);
      if (python === undefined) return;
      const other = join(folder, 'other.crt');
      await writeFile(other, (await createAuthority(validForSeconds(3_600))).certificate);
      const script =
        'import redis, sys\n' +
        'redis.Redis(port=int(sys.argv[1]), ssl=True, ssl_ca_certs=sys.argv[2], retry=None).ping()\n';
      await assert.rejects(promisify(execFile)(python, ['-c', script, String(port), other]));
      const line = /handshake failed \(127\.0\.0\.1\): [^"]*alert[^"]*; tell it who has signed that/;
      await eventually('the line', () => line.test(place.said()) || undefined, { seen: place.said });
    },
  );

  await t.test('another certificate is for new connections, the old ones stay', async (t2) => {
    const before = client(t2, port, { ca: authority.certificate });
    await before.ping();
    const first = await serialNumber(port, authority);
    const ends = /redpilot_proxy_tls_certificate_not_after_seconds ([\d.e+]+)/;
    const notAfter = async (): Promise<number> =>
      Number(ends.exec(await (await fetch(`${place.admin}/metrics`)).text())?.[1]);
    const firstEnds = await notAfter();
    assert.ok(Math.abs(firstEnds - Date.now() / 1_000 - 3_600) < 300, `${firstEnds}`);
    await writeFiles(folder, authority.certificate, await serverPair(authority, 7_200));
    await eventually('the new certificate', async () =>
      (await serialNumber(port, authority)) === first ? undefined : true,
    );
    assert.equal(await before.get('k'), 'v');
    assert.ok((await notAfter()) > firstEnds + 3_000);
  });
});

test('with --tls-listener-ca clients need a certificate of theirs', async (t) => {
  const place = await startSecured(t, true);
  if (place === undefined) return;
  const { authority, port } = place;
  const pair = await authority.issueClient(spiffe('shop'), validForSeconds(3_600));
  const known = client(t, port, { ca: authority.certificate, cert: pair.certificate, key: pair.key });
  assert.equal(await known.set('k', 'v'), 'OK');
  await assert.rejects(client(t, port, { ca: authority.certificate }).get('k'));
  const other = await createAuthority(validForSeconds(3_600));
  const stranger = await other.issueClient(spiffe('shop'), validForSeconds(3_600));
  const options = { ca: authority.certificate, cert: stranger.certificate, key: stranger.key };
  await assert.rejects(client(t, port, options).get('k'));
  assert.equal(await known.get('k'), 'v');
});

for (const [args, why] of [
  [['--tls-listener-cert', 'x'], /--tls-listener-cert and --tls-listener-key are given together/],
  [['--tls-listener-ca', 'x'], /--tls-listener-cert and --tls-listener-key are given together/],
  [
    ['--tls-listener-cert', '/nowhere', '--tls-listener-key', '/nowhere'],
    /--tls-listener-cert \/nowhere: there is no such file/,
  ],
] as const) {
  test(`redpilot proxy ${args.join(' ')} is refused with one line`, async () => {
    const { status, lines } = await failedProxyCommand(['--upstream', '127.0.0.1:1', ...args]);
    assert.notEqual(status, 0);
    assert.equal(lines.length, 1);
    assert.match(lines[0] ?? '', why);
  });
}

interface Secured {
  readonly authority: Authority;
  readonly port: number;
  readonly folder: string;
  readonly admin: string;
  /** What the proxy logs. */
  readonly said: () => string;
}

async function startSecured(t: TestContext, asksClients: boolean): Promise<Secured | undefined> {
  const redis = await needRedis(t);
  if (redis === undefined) return undefined;
  const folder = await temporaryFolder('listener-tls');
  t.after(() => removeFolder(folder));
  const server = await startRedis({ server: redis.server, folder });
  t.after(() => stopRedis(server));
  const authority = await createAuthority(validForSeconds(3_600));
  const { ca, cert, key } = await writeFiles(folder, authority.certificate, await serverPair(authority));
  const [port = 0] = await freePorts(1);
  const proxy = await startProxyCommand(t, [
    '--mode=proxy',
    `--upstream=127.0.0.1:${server.port}`,
    `--listen=127.0.0.1:${port}`,
    `--tls-listener-cert=${cert}`,
    `--tls-listener-key=${key}`,
    ...(asksClients ? [`--tls-listener-ca=${ca}`] : []),
  ]);
  return { authority, port, folder, admin: proxy.admin, said: () => proxy.said() };
}

function serverPair(authority: Authority, seconds = 3_600): ReturnType<Authority['issueServer']> {
  return authority.issueServer(['localhost', '127.0.0.1'], validForSeconds(seconds));
}

const OPTIONS = {
  host: 'localhost',
  family: 4,
  disableClientInfo: true,
  enableReadyCheck: false,
  maxRetriesPerRequest: 0,
  retryStrategy: () => null,
};

function client(t: TestContext, port: number, tls: ConnectionOptions): Redis {
  const redis = new Redis({ ...OPTIONS, port, tls });
  redis.on('error', () => {});
  t.after(() => redis.disconnect());
  return redis;
}

async function connectSecured(port: number, authority: Authority): Promise<TLSSocket> {
  return await new Promise((resolve, reject) => {
    const opened = connectTls({ host: '127.0.0.1', port, ca: authority.certificate }, () => resolve(opened));
    opened.once('error', reject);
  });
}

async function serialNumber(port: number, authority: Authority): Promise<string> {
  const socket = await connectSecured(port, authority);
  const { serialNumber: serial } = socket.getPeerCertificate();
  socket.destroy();
  return serial;
}
