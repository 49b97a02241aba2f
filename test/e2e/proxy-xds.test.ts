/**
 * The proxy as a client of the control plane.
 */
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';

import { Redis } from 'ioredis';
import { pino } from 'pino';
import { Registry } from 'prom-client';

import { startControlPlane, type ControlPlane } from '../../src/commands/control-plane.ts';
import { PROXY_DEFAULTS } from '../../src/commands/proxy-defaults.ts';
import { followControlPlane } from '../../src/commands/proxy-xds.ts';
import { freePorts, removeFolder, temporaryFolder } from '../../src/demo/child-process.ts';
import { eventually as within } from '../../src/demo/eventually.ts';
import { RedisCluster } from '../../src/demo/redis-cluster.ts';
import { between, countsOf, splitByRole } from '../../src/demo/traffic.ts';
import { Proxy } from '../../src/proxy/proxy.ts';
import { createAuthority } from '../../src/tls/authority.ts';
import type { CertificateFiles } from '../../src/tls/certificate-files.ts';
import type { NodeStatus, TypeStatus } from '../../src/xds/sync-status.ts';
import { spiffe, validForSeconds, writeFiles } from '../tls/certificates.ts';
import { worldOnly } from '../xds/world-only.ts';
import { needRedis } from './environment.ts';
import { hostObjects } from './objects.ts';
import { startProxyCommand } from './proxy-command.ts';
import { client } from './proxy-setting.ts';
import { answerOf } from './sidecar.ts';

const LOCAL = { host: '127.0.0.1', port: 0 };
const HOST = 'cache';

/** The machine may be busy with other things: correctness must not hang on speed. */
const eventually = <T>(
  what: string,
  look: () => Promise<T | undefined> | T | undefined,
  seen?: () => string,
): Promise<T> => within(what, look, { deadlineMs: 60_000, ...(seen === undefined ? {} : { seen }) });

interface Stage {
  /** Of the control plane, also after it was started again. */
  readonly xdsPort: number;
  /** Of the host's listener. */
  readonly port: number;
  readonly cluster: RedisCluster;
  readonly controlPlane: ControlPlane;
  /** Writes the host's objects; `listen`: where its listener listens instead. */
  write(readPolicy: string, listen?: string): Promise<void>;
  start(): Promise<void>;
}

async function stage(t: TestContext, tls?: CertificateFiles): Promise<Stage | undefined> {
  const redis = await needRedis(t);
  if (redis === undefined) return undefined;
  const cluster = await RedisCluster.start({ redis, replicas: 1 });
  t.after(() => cluster.stop());
  const folder = await temporaryFolder('objects');
  t.after(() => removeFolder(folder));
  const [port = 0, xdsPort = 0] = await freePorts(2);
  const endpoints = cluster.nodes.slice(0, 2).map((node) => node.port);
  const write = async (readPolicy: string, listen?: string): Promise<void> => {
    const annotations = listen === undefined ? {} : { annotations: { listen } };
    const host = { name: HOST, port, endpoints, settings: { readPolicy }, ...annotations };
    const text = hostObjects({ ...host, mode: 'CLUSTER' });
    await writeFile(join(folder, 'new'), text);
    await rename(join(folder, 'new'), join(folder, 'objects.yaml'));
  };
  await write('MASTER');
  let controlPlane: ControlPlane | undefined;
  const start = async (): Promise<void> => {
    controlPlane = await startControlPlane({
      configPaths: [folder],
      xdsAddress: { ...LOCAL, port: xdsPort },
      adminAddress: LOCAL,
      bindAddress: '127.0.0.1',
      insecure: false,
      probe: true,
      tls,
      log: pino({ level: 'silent' }),
    });
  };
  await start();
  t.after(() => controlPlane?.close());
  return {
    xdsPort,
    port,
    cluster,
    get controlPlane() {
      return controlPlane ?? assert.fail('not started');
    },
    write,
    start,
  };
}

/** In this process. */
async function follow(
  t: TestContext,
  here: Stage,
  variant: 'delta' | 'state of the world',
): Promise<Registry> {
  const log = pino({ level: 'silent' });
  const proxy = await Proxy.create({ ...PROXY_DEFAULTS, log });
  t.after(() => proxy.close());
  const metrics = new Registry();
  const ofServer = `127.0.0.1:${here.xdsPort}`;
  const address = variant === 'delta' ? ofServer : await worldOnly(t, ofServer);
  const source = await followControlPlane(
    proxy,
    {
      xdsAddress: { ...LOCAL, port: Number(address.split(':')[1]) },
      tls: undefined,
      node: { id: 'proxy-1' },
    },
    { log, metrics },
  );
  t.after(() => source.close());
  await eventually('ready', () => (proxy.notReady() === undefined ? true : undefined));
  return metrics;
}

async function readsOnReplicas(here: Stage, through: Redis): Promise<number> {
  const counts = async (): Promise<ReadonlyMap<number, Awaited<ReturnType<typeof countsOf>>>> =>
    new Map(
      await Promise.all(
        here.cluster.nodes.map(
          async (node) => [node.port, await countsOf(node.client, { read: 'get', write: 'set' })] as const,
        ),
      ),
    );
  const before = await counts();
  for (let index = 0; index < 30; index++) await through.get(`key:${index}`);
  const split = splitByRole([...(await counts())].map(([port, after]) => between(before.get(port), after)));
  assert.equal(split.readsOnPrimaries + split.readsOnReplicas, 30);
  return split.readsOnReplicas;
}

async function nodesAt(controlPlane: ControlPlane): Promise<readonly NodeStatus[]> {
  const response = await fetch(`http://${controlPlane.adminAddress}/debug/syncz`);
  return (await response.json()) as readonly NodeStatus[];
}

async function listenersAt(controlPlane: ControlPlane): Promise<TypeStatus | undefined> {
  const [node] = await nodesAt(controlPlane);
  return node?.types.find(({ type }) => type === 'listeners');
}

for (const variant of ['delta', 'state of the world'] as const) {
  test(`a proxy follows its control plane (${variant}), and goes on without it`, async (t) => {
    const here = await stage(t);
    if (here === undefined) return;
    const metrics = await follow(t, here, variant);
    const through = client(t, here.port);
    let closed = 0;
    through.on('close', () => {
      closed += 1;
    });
    assert.equal(await readsOnReplicas(here, through), 0);

    const moved = async (replicas: number): Promise<void> => {
      await eventually('the reads have moved', async () =>
        (await readsOnReplicas(here, through)) === replicas ? true : undefined,
      );
    };
    await here.write('REPLICA');
    await moved(30);

    await t.test('it is among the connected nodes, and has acknowledged everything', async () => {
      await eventually('synced', async () => {
        const [node] = await nodesAt(here.controlPlane);
        assert.deepEqual([node?.node, node?.version, node?.variant], ['proxy-1', null, variant]);
        return node?.types.every(({ state }) => state === 'SYNCED') === true ? true : undefined;
      });
    });

    const connected = async (): Promise<string | undefined> =>
      /^redpilot_proxy_control_plane_connected (\d)$/m.exec(await metrics.metrics())?.[1];
    await here.controlPlane.close();
    await eventually('it is noticed', async () => ((await connected()) === '0' ? true : undefined));
    assert.equal(await readsOnReplicas(here, through), 30, 'what it said last is in force');
    assert.equal(await client(t, here.port).ping(), 'PONG', 'new clients are served too');

    // Changed while it was away.
    await here.write('MASTER');
    await here.start();
    await moved(0);
    assert.equal(await connected(), '1');
    assert.equal(closed, 0, 'no connection of a client was closed');
  });

  test(`what a proxy can not listen on is refused by name (${variant}), and taken when the cause is gone`, async (t) => {
    const here = await stage(t);
    if (here === undefined) return;
    await follow(t, here, variant);
    const through = client(t, here.port);
    await through.ping();

    const holder = createServer();
    await new Promise<void>((resolve) => {
      holder.listen(0, '127.0.0.1', resolve);
    });
    t.after(() => holder.close());
    const { port: taken } = holder.address() as { readonly port: number };
    await here.write('MASTER', `127.0.0.1:${taken}`);
    const refused = await eventually('refused', async () => {
      const listeners = await listenersAt(here.controlPlane);
      return listeners?.state === 'REJECTED' ? listeners : undefined;
    });
    assert.equal(
      refused.reason,
      `cache.redis.svc.cluster.local:${here.port}: 127.0.0.1:${taken} is in use by another process; end what has the address, or give the listener another one (redpilot.dev/listen, --bind)`,
    );
    assert.equal(await through.ping(), 'PONG', 'it stays where it was');
    assert.equal(await client(t, here.port).ping(), 'PONG', 'for new clients too');

    await new Promise((resolve) => {
      holder.close(resolve);
    });
    // Content that has changed is tried at once.
    await here.write('REPLICA', `127.0.0.1:${taken}`);
    await eventually('taken', async () =>
      (await answerOf(client(t, taken).ping())) === 'PONG' ? true : undefined,
    );
    await eventually('synced', async () =>
      (await listenersAt(here.controlPlane))?.state === 'SYNCED' ? true : undefined,
    );
  });
}

test('every worker of a proxy follows the control plane, on a stream of its own under one name', async (t) => {
  const here = await stage(t);
  if (here === undefined) return;
  const address = `127.0.0.1:${here.xdsPort}`;
  const running = await startProxyCommand(t, [
    '--workers=2',
    '--xds-address',
    address,
    '--node-id',
    'proxy-1',
  ]);
  // Handed to the workers in turn.
  const clients = Array.from({ length: 4 }, () => client(t, here.port));
  const ids = await Promise.all(clients.map((each) => each.client('ID')));
  assert.deepEqual(new Set(ids.map((id) => id % 2)), new Set([0, 1]));
  const allRead = async (onReplicas: number): Promise<true | undefined> => {
    for (const each of clients) if ((await readsOnReplicas(here, each)) !== onReplicas) return undefined;
    return true;
  };
  assert.equal(await allRead(0), true);
  await here.write('REPLICA');
  await eventually('the reads of all have moved', () => allRead(30));
  const isSynced = async (): Promise<true | undefined> => {
    const nodes = await nodesAt(here.controlPlane);
    const states = nodes.flatMap(({ types }) => types.map(({ state }) => state));
    const isWhole = nodes.length === 2 && states.every((state) => state === 'SYNCED');
    return isWhole && new Set(nodes.map(({ peer }) => peer)).size === 2 ? true : undefined;
  };
  await eventually('both being synced', isSynced);
  assert.deepEqual(new Set((await nodesAt(here.controlPlane)).map(({ node }) => node)), new Set(['proxy-1']));

  await t.test('one that takes the place of another does, too', async () => {
    const topology = await (await fetch(`${running.admin}/topology`)).json();
    const [first] = topology as readonly { readonly pid: number }[];
    const before = new Set((await nodesAt(here.controlPlane)).map(({ peer }) => peer));
    process.kill(first?.pid ?? assert.fail('no worker'), 'SIGKILL');
    await eventually('its stream in the place of the other', async () => {
      const stay = (await nodesAt(here.controlPlane)).filter(({ peer }) => before.has(peer));
      return stay.length === 1 ? await isSynced() : undefined;
    });
  });
});

test('redpilot proxy --xds-address with TLS: serves what its certificate may see, also with the next one', async (t) => {
  const folder = await temporaryFolder('certificates');
  t.after(() => removeFolder(folder));
  const authority = await createAuthority(validForSeconds(3_600));
  const server = await authority.issueServer(['127.0.0.1'], validForSeconds(3_600));
  const ofServer = await writeFiles(join(folder, 'server'), authority.certificate, server);
  const here = await stage(t, ofServer);
  if (here === undefined) return;
  const renew = async (namespace: string): Promise<CertificateFiles> =>
    await writeFiles(
      join(folder, 'client'),
      authority.certificate,
      await authority.issueClient(spiffe(namespace), validForSeconds(3_600)),
    );
  const { ca, cert, key } = await renew('redis');
  const flags = ['--tls-ca', ca, '--tls-cert', cert, '--tls-key', key, '--node-id', 'proxy-1'];
  const address = `127.0.0.1:${here.xdsPort}`;
  const proxy = await startProxyCommand(t, ['--xds-address', address, ...flags]);
  const through = client(t, here.port);
  assert.equal(await through.set('k', 'v'), 'OK');
  const namespace = async (): Promise<string | null | undefined> =>
    (await nodesAt(here.controlPlane))[0]?.namespace;
  assert.equal(await namespace(), 'redis');

  await renew('shop');
  await here.controlPlane.close();
  assert.equal(await through.get('k'), 'v');
  await here.start();
  await eventually(
    'back with the next certificate',
    async () => ((await namespace()) === 'shop' ? true : undefined),
    () => proxy.said(),
  );
  const metrics = await (await fetch(`${proxy.admin}/metrics`)).text();
  assert.match(metrics, /redpilot_proxy_control_plane_connected 1/);
});
