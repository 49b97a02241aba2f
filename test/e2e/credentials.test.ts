import assert from 'node:assert/strict';
import { test } from 'node:test';

import { freePorts, removeFolder, temporaryFolder } from '../../src/demo/child-process.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { startRedis, stopRedis } from '../../src/demo/redis-node.ts';
import { RedisCluster } from '../../src/demo/redis-cluster.ts';
import { encodeCommand } from '../../src/proxy/wire/encode.ts';
import { clientOf } from '../proxy/servers.ts';
import { needBinaries } from './environment.ts';
import { documents, hostObjects, secret } from './objects.ts';
import { answerOf, connect, startSidecar } from './sidecar.ts';

/** No text. */
const RAW = Buffer.from([0xff, 0x00, 0xfe, 0x41]);
const IN_SECRET = { secret: { name: 'password' } };

test('what clients must present', async (t) => {
  const binaries = await needBinaries(t);
  if (binaries === undefined) return;
  const folder = await temporaryFolder('redis');
  t.after(() => removeFolder(folder));
  const redis = await startRedis({ server: binaries.redis.server, folder });
  t.after(() => stopRedis(redis));
  const [open = 0, plain = 0, rotated = 0, missing = 0, raw = 0] = await freePorts(5);
  const host = (name: string, port: number, auth?: object): string =>
    hostObjects({ name, port, endpoints: [redis.port], mode: 'PROXY', ...(auth && { settings: { auth } }) });
  const sidecar = await startSidecar(t, {
    envoy: binaries.envoy,
    files: {
      'open.yaml': host('open', open),
      'plain.yaml': host('plain', plain, { plain: { username: 'app', password: 'for-clients' } }),
      'rotated.yaml': host('rotated', rotated, IN_SECRET),
      'missing.yaml': host('missing', missing, { secret: { name: 'nowhere' } }),
      'raw.yaml': host('raw', raw, { secret: { name: 'raw' } }),
      'secret.yaml': documents(secret('password', { password: 'old' })),
      'raw-secret.yaml': documents({ ...secret('raw', {}), data: { password: RAW.toString('base64') } }),
    },
  });
  const get = (port: number, credentials: { username?: string; password?: string } = {}): Promise<unknown> =>
    answerOf(connect(t, port, credentials).get('key'));

  await t.test('nothing asked, nothing needed', async () => assert.equal(await get(open), null));
  await t.test('the right user and password are let in', async () =>
    assert.equal(await get(plain, { username: 'app', password: 'for-clients' }), null),
  );
  await t.test('no password is NOAUTH', async () => assert.match(String(await get(plain)), /NOAUTH/));
  await t.test('a wrong password is refused', async () =>
    assert.match(String(await get(plain, { username: 'app', password: 'wrong' })), /NOAUTH|WRONGPASS/),
  );
  await t.test('a password that is no text is asked for as its bytes', async () => {
    const client = clientOf(t, raw);
    const commands = [
      ['AUTH', RAW.toString()],
      ['AUTH', RAW],
      ['GET', 'key'],
    ] as const;
    client.socket.write(Buffer.concat(commands.map((words) => encodeCommand(...words))));
    await eventually('the reply', () => client.got().endsWith('$-1\r\n') || undefined, {
      seen: () => client.got(),
    });
    assert.match(client.got(), /^-[^\r]+\r\n\+OK\r\n\$-1\r\n$/);
  });
  await t.test('a Secret that is not there keeps the listener closed, whatever is presented', async () => {
    assert.match(String(await get(missing)), /NOAUTH/);
    assert.match(String(await get(missing, { password: 'anything' })), /NOAUTH|invalid|WRONGPASS|ERR/);
  });

  await t.test('a rotated Secret is followed', async () => {
    assert.equal(await get(rotated, { password: 'old' }), null);
    await sidecar.write('secret.yaml', documents(secret('password', { password: 'new' })));
    await eventually('the new password', async () =>
      (await get(rotated, { password: 'new' })) === null ? true : undefined,
    );
    assert.notEqual(await get(rotated, { password: 'old' }), null);
  });

  await t.test(
    'a deleted Secret leaves the last password in force, and never opens the listener',
    async () => {
      await sidecar.remove('secret.yaml');
      await eventually('the loss being told', () =>
        sidecar.controlPlane.diagnostics().some(({ reason }) => reason === 'SecretNotFound')
          ? true
          : undefined,
      );
      assert.equal(await get(rotated, { password: 'new' }), null);
      assert.match(String(await get(rotated)), /NOAUTH/);
    },
  );
});

test('what is presented to a Redis Cluster that asks for a password', async (t) => {
  const binaries = await needBinaries(t);
  if (binaries === undefined) return;
  const cluster = await RedisCluster.start({
    redis: binaries.redis,
    shards: 1,
    replicas: 1,
    config: { requirepass: 'of-redis', masterauth: 'of-redis' },
  });
  t.after(() => cluster.stop());
  const [known = 0, unknown = 0] = await freePorts(2);
  const seed = cluster.nodes[0]?.port ?? 0;
  const host = (name: string, port: number, upstreamAuth: object): string =>
    hostObjects({
      name,
      port,
      endpoints: [seed],
      mode: 'CLUSTER',
      settings: { readPolicy: 'REPLICA' },
      upstreamAuth,
    });
  const sidecar = await startSidecar(t, {
    envoy: binaries.envoy,
    files: {
      'known.yaml': host('known', known, IN_SECRET),
      'unknown.yaml': host('unknown', unknown, { secret: { name: 'nowhere' } }),
      'secret.yaml': documents(secret('password', { token: 'of-redis' })),
    },
  });

  await t.test('the password of the Secret opens it for discovery, health checks and commands', async () => {
    const client = connect(t, known);
    await eventually('an answer', async () =>
      (await client.set('key', 'value')) === 'OK' ? true : undefined,
    );
    await eventually('the replica healthy', async () =>
      (await sidecar.envoy.admin('/clusters')).includes('health_flags::/') ? undefined : true,
    );
    await eventually('the copy on the replica', async () =>
      (await client.get('key')) === 'value' ? true : undefined,
    );
  });

  await t.test(
    'without a known password commands are answered with an error and nothing is sent to Redis',
    async () => {
      const before = await refusals(cluster);
      const answer = await answerOf(connect(t, unknown).get('key'));
      assert.match(String(answer), /upstream failure/);
      assert.equal(await refusals(cluster), before);
    },
  );
});

/** How many commands the nodes refused for want of a password. */
async function refusals(cluster: RedisCluster): Promise<number> {
  const infos = await Promise.all(cluster.nodes.map(({ client }) => client.call('INFO', 'errorstats')));
  return infos.reduce<number>(
    (sum, info) => sum + Number(/errorstat_NOAUTH:count=(\d+)/.exec(String(info))?.[1] ?? 0),
    0,
  );
}
