import assert from 'node:assert/strict';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { freePorts, removeFolder, temporaryFolder } from '../../src/demo/child-process.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { RedisCluster } from '../../src/demo/redis-cluster.ts';
import { startRedis, stopRedis } from '../../src/demo/redis-node.ts';
import { needRedis } from './environment.ts';
import { hostObjects } from './objects.ts';
import { failedProxyCommand, startProxyCommand } from './proxy-command.ts';
import { client } from './proxy-setting.ts';
import { answerOf } from './sidecar.ts';

test('redpilot proxy without any object: flags, environment, admin', async (t) => {
  const redis = await needRedis(t);
  if (redis === undefined) return;
  const cluster = await RedisCluster.start({
    redis,
    replicas: 1,
    config: { requirepass: 'r', masterauth: 'r' },
  });
  t.after(() => cluster.stop());
  const folder = await temporaryFolder('passwords');
  t.after(() => removeFolder(folder));
  await writeFile(join(folder, 'client'), 'c\n');
  await writeFile(join(folder, 'upstream'), 'r');
  const [port = 0] = await freePorts(1);
  const running = await startProxyCommand(
    t,
    [
      '--read-policy=REPLICA',
      '--log-slower-than=200ms',
      `--upstream-password-file=${join(folder, 'upstream')}`,
    ],
    {
      REDPILOT_UPSTREAM: `127.0.0.1:${cluster.nodes[0]?.port}`,
      REDPILOT_LISTEN: `127.0.0.1:${port}`,
      REDPILOT_CLIENT_PASSWORD_FILE: join(folder, 'client'),
    },
  );
  const through = client(t, port, { password: 'c' });
  for (let index = 0; index < 50; index++) await through.set(`k${index}`, 'v');
  await Promise.all(Array.from({ length: 50 }, (_, index) => through.get(`k${index}`)));

  await t.test('/topology says who is who, and how', async () => {
    const [upstream] = (await (await fetch(`${running.admin}/topology`)).json()) as {
      shards: { primary: string; replicas: string[] }[];
      nodes: { role: string; state: string; reads: number; writes: number }[];
    }[];
    assert.equal(upstream?.shards.length, 3);
    assert.ok(upstream.shards.every(({ replicas }) => replicas.length === 1));
    const sum = (role: string, what: 'reads' | 'writes'): number =>
      upstream.nodes.filter((node) => node.role === role).reduce((total, node) => total + node[what], 0);
    assert.deepEqual(
      [sum('replica', 'reads'), sum('replica', 'writes'), sum('primary', 'reads')],
      [50, 0, 0],
    );
    assert.ok(sum('primary', 'writes') >= 50);
    assert.ok(upstream.nodes.every(({ state }) => state === 'fit'));
  });

  await t.test('/metrics counts, and shows no password', async () => {
    const metrics = await (await fetch(`${running.admin}/metrics`)).text();
    assert.match(metrics, /redpilot_proxy_commands_total\{kind="keyed",outcome="ok"\} 100/);
    assert.match(metrics, /redpilot_proxy_node_commands_total\{[^}]*role="replica",type="read"\} \d+/);
    assert.match(metrics, /redpilot_proxy_topology_age_seconds\{[^}]*\} \d/);
    assert.match(metrics, /redpilot_proxy_clients 1/);
  });

  await t.test('--log-slower-than tells of a slow command', async () => {
    for (const { client: node } of cluster.nodes) await node.call('CLIENT', 'PAUSE', '400', 'WRITE');
    await through.set('session:1', 'v');
    await eventually('the line', () => /session:\*.*"slow command"/.test(running.said()) || undefined, {
      seen: () => running.said(),
    });
  });

  await t.test('SIGTERM ends it with status 0', async () => {
    assert.equal(await running.stop(), 0);
  });
});

test('redpilot proxy --reads: a primary and its replica that are no Redis Cluster', async (t) => {
  const redis = await needRedis(t);
  if (redis === undefined) return;
  const folder = await temporaryFolder('plain');
  t.after(() => removeFolder(folder));
  const servers = await Promise.all([0, 1].map(() => startRedis({ server: redis.server, folder })));
  t.after(() => Promise.all(servers.map(stopRedis)));
  const [primary, replica] = servers;
  assert.ok(primary && replica);
  const [port = 0] = await freePorts(1);
  // Not replicated, so that a read tells who answered.
  await replica.client.set('who', 'the replica');
  await startProxyCommand(
    t,
    [
      `--upstream=127.0.0.1:${primary.port}`,
      '--mode=proxy',
      `--listen=127.0.0.1:${port}`,
      '--hedge-after=1h',
      '--failover-wait=1s',
    ],
    { REDPILOT_READS: `127.0.0.1:${replica.port}`, REDPILOT_READ_POLICY: 'PREFER_REPLICA' },
  );
  const through = client(t, port);
  await through.set('who', 'the primary');
  assert.equal(await through.get('who'), 'the replica');

  await t.test('--hedge-after says how long a slow node is waited for', async () => {
    // Twice as long as by default.
    await replica.client.call('CLIENT', 'PAUSE', '400', 'ALL');
    assert.equal(await through.get('who'), 'the replica');
  });
  await t.test('without the replica the primary answers', async () => {
    await replica.process.stop();
    assert.equal(await through.get('who'), 'the primary');
  });
  await t.test('--failover-wait says how long a command waits for anybody', async () => {
    await primary.process.stop();
    const asked = performance.now();
    assert.equal(await answerOf(through.get('who')), 'no upstream host');
    // 10 s by default.
    assert.ok(performance.now() - asked < 8_000);
  });
});

for (const [args, why] of [
  [['--reads', '127.0.0.1:2'], /a Redis Cluster names its replicas itself: add --mode proxy/],
  [
    ['--reads', '127.0.0.1:2', '--mode', 'proxy'],
    /no effect under the read policy MASTER: add --read-policy/,
  ],
] as const) {
  test(`redpilot proxy ${args.join(' ')} is refused with one line`, async () => {
    const { status, lines } = await failedProxyCommand(['--upstream', '127.0.0.1:1', ...args]);
    assert.notEqual(status, 0);
    assert.match(lines[0] ?? '', why);
    assert.equal(lines.length, 1);
  });
}

test('redpilot proxy follows the objects in files without closing a connection', async (t) => {
  const redis = await needRedis(t);
  if (redis === undefined) return;
  const folder = await temporaryFolder('plain');
  t.after(() => removeFolder(folder));
  const servers = await Promise.all([0, 1].map(() => startRedis({ server: redis.server, folder })));
  t.after(() => Promise.all(servers.map(stopRedis)));
  const objects = await temporaryFolder('objects');
  t.after(() => removeFolder(objects));
  const [port = 0] = await freePorts(1);
  const write = async (server: number): Promise<void> => {
    const endpoints = [servers[server]?.port ?? 0];
    await writeFile(join(objects, 'new'), hostObjects({ name: 'redis', port, endpoints, mode: 'PROXY' }));
    await rename(join(objects, 'new'), join(objects, 'objects.yaml'));
  };
  for (const [index, server] of servers.entries()) await server.client.set('who', String(index));
  await write(0);
  await startProxyCommand(t, ['--config', objects]);
  const through = client(t, port);
  let closed = 0;
  through.on('close', () => {
    closed += 1;
  });
  assert.equal(await through.get('who'), '0');
  await write(1);
  await eventually('the other server', async () =>
    (await answerOf(through.get('who'))) === '1' ? true : undefined,
  );
  assert.equal(closed, 0);
});

test('a number alone that is likelier meant as seconds is told for what it is taken', async (t) => {
  const [port = 0, nobody = 0] = await freePorts(2);
  const running = await startProxyCommand(
    t,
    [
      '--mode=proxy',
      `--upstream=127.0.0.1:${nobody}`,
      `--listen=127.0.0.1:${port}`,
      '--failover-wait=5',
      '--log-slower-than=5ms',
    ],
    { REDPILOT_HEDGE_AFTER: '1', REDPILOT_FAILOVER_WAIT: '2' },
  );
  const said = running
    .said()
    .split('\n')
    .filter((line) => line.includes('is taken for'));
  assert.equal(said.length, 2, said.join('\n'));
  assert.match(said.join('\n'), /--failover-wait 5 is taken for 5 milliseconds; write 5s for seconds/);
  assert.match(said.join('\n'), /--hedge-after 1 is taken for 1 milliseconds/);
});
