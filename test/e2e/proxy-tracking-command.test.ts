/**
 * Client-side caching before `redpilot proxy` with all that stands around it: several workers, a plan from the control plane, TLS
 * on both sides, passwords on both sides, a limit of clients.
 */
import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';

import { pino } from 'pino';

import { startControlPlane } from '../../src/commands/control-plane.ts';
import type { RedisBinary } from '../../src/demo/binaries.ts';
import { freePorts, removeFolder, temporaryFolder } from '../../src/demo/child-process.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { RedisCluster } from '../../src/demo/redis-cluster.ts';
import { createAuthority } from '../../src/tls/authority.ts';
import { validForSeconds, writeFiles } from '../tls/certificates.ts';
import { CachingClient } from './caching-client.ts';
import { needRedis, needTlsRedis } from './environment.ts';
import { documents, hostObjects, secret } from './objects.ts';
import { startProxyCommand } from './proxy-command.ts';
import { startTlsRedis } from './tls-redis.ts';

const HOST = 'cache';
const LOCAL = { host: '127.0.0.1', port: 0 };
const CLIENTS = 8;

/** By which worker has them. */
async function startClients(
  start: () => Promise<CachingClient>,
): Promise<readonly [CachingClient[], CachingClient[]]> {
  const [odd, even]: [CachingClient[], CachingClient[]] = [[], []];
  for (let count = 0; count < CLIENTS; count++) {
    const client = await start();
    const id = Number(await client.ask('CLIENT', 'ID'));
    (id % 2 === 1 ? odd : even).push(client);
  }
  assert.ok(odd.length > 0 && even.length > 0);
  return [odd, even];
}

/** Each of all reads what others read, too; then one writes. */
async function tells(
  all: readonly CachingClient[],
  writer: CachingClient,
  keys: readonly string[],
): Promise<void> {
  await Promise.all(all.map((each) => each.mget(keys)));
  for (const key of keys) assert.equal(await writer.ask('SET', key, 'new'), 'OK');
  await eventually('all being told', () =>
    all.every(({ cache }) => keys.every((key) => !cache.has(key))) ? true : undefined,
  );
  await Promise.all(all.map((each) => each.mget(keys)));
  for (const { cache } of all)
    assert.deepEqual(
      [...cache.values()],
      keys.map(() => 'new'),
    );
  for (const key of keys) await writer.ask('DEL', key);
  await eventually('all being told', () => (all.every(({ cache }) => cache.size === 0) ? true : undefined));
}

const KEYS = ['a', 'b', 'c', 'd', 'e', 'f'];

test('a client of one worker is told what a client of another one writes', async (t) => {
  const redis = await needRedis(t);
  if (redis === undefined) return;
  const cluster = await RedisCluster.start({ redis, replicas: 1 });
  t.after(() => cluster.stop());
  const [port = 0] = await freePorts(1);
  await startProxyCommand(t, [
    '--workers=2',
    '--read-policy=ANY',
    `--upstream=127.0.0.1:${cluster.nodes[0]?.port}`,
    `--listen=127.0.0.1:${port}`,
  ]);
  const [odd, even] = await startClients(() => CachingClient.start(t, port));
  await tells([...odd, ...even], odd[0]!, KEYS);
  await tells([...odd, ...even], even[0]!, KEYS);
});

test('under TLS, with passwords and a limit of clients, by a plan of the control plane', async (t) => {
  const redis = await needTlsRedis(t);
  if (redis === undefined) return;
  const { port, ca } = await startSecured(t, redis);
  const start = (password = 'of-clients'): Promise<CachingClient> =>
    CachingClient.start(t, port, [], { password, ca });
  await assert.rejects(start('wrong'), /NOAUTH/);
  const [odd, even] = await startClients(start);
  await tells([...odd, ...even], odd[0]!, KEYS);
  await assert.rejects(start(), /max number of clients|closed/);
  odd.pop()?.close();
  const another = await eventually('a place', () => start().catch(() => undefined));
  await tells([...odd, ...even, another], even[0]!, KEYS);
});

async function startSecured(
  t: TestContext,
  redis: RedisBinary,
): Promise<{ readonly port: number; readonly ca: string }> {
  const authority = await createAuthority(validForSeconds(3_600));
  const server = await authority.issueServer(
    [HOST, `${HOST}.redis.svc.cluster.local`, '127.0.0.1'],
    validForSeconds(3_600),
  );
  const { certificate: ca } = authority;
  const { node, tlsPort } = await startTlsRedis(t, redis, { server, authorities: ca, cluster: true });
  await node.client.config('SET', 'requirepass', 'of-redis');
  const folder = await temporaryFolder('secured');
  t.after(() => removeFolder(folder));
  const { cert, key } = await writeFiles(folder, ca, server);
  const [port = 0] = await freePorts(1);
  const host = hostObjects({
    name: HOST,
    port,
    endpoints: [tlsPort],
    mode: 'CLUSTER',
    settings: { readPolicy: 'ANY', auth: { secret: { name: 'of-clients' } } },
    upstreamAuth: { secret: { name: 'of-redis' } },
    tls: { mode: 'SIMPLE', secret: { name: 'authority' } },
  });
  const secrets = [
    secret('of-clients', { password: 'of-clients' }),
    secret('of-redis', { password: 'of-redis' }),
    secret('authority', { 'ca.crt': ca }),
  ];
  await mkdir(join(folder, 'objects'));
  await writeFile(join(folder, 'objects', 'objects.yaml'), `${host}---\n${documents(...secrets)}`);
  const controlPlane = await startControlPlane({
    configPaths: [join(folder, 'objects')],
    xdsAddress: LOCAL,
    adminAddress: LOCAL,
    bindAddress: '127.0.0.1',
    insecure: false,
    probe: true,
    tls: undefined,
    log: pino({ level: 'silent' }),
  });
  t.after(() => controlPlane.close());
  await startProxyCommand(t, [
    '--workers=2',
    `--xds-address=${controlPlane.xdsAddress}`,
    '--node-id=proxy-1',
    // The one with the wrong password stays connected.
    `--max-clients=${CLIENTS + 1}`,
    `--tls-listener-cert=${cert}`,
    `--tls-listener-key=${key}`,
  ]);
  return { port, ca };
}
