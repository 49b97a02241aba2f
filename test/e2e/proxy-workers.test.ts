import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';

import { Redis } from 'ioredis';

import { freePorts, removeFolder, temporaryFolder } from '../../src/demo/child-process.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { RedisCluster } from '../../src/demo/redis-cluster.ts';
import { createAuthority } from '../../src/tls/authority.ts';
import { serverThat } from '../proxy/servers.ts';
import { validForSeconds } from '../tls/certificates.ts';
import { needRedis } from './environment.ts';
import { failedProxyCommand, startProxyCommand } from './proxy-command.ts';

const CLIENTS = 8;

test('several workers are one proxy', async (t) => {
  const redis = await needRedis(t);
  if (redis === undefined) return;
  const cluster = await RedisCluster.start({ redis, replicas: 0 });
  t.after(() => cluster.stop());
  const [port = 0] = await freePorts(1);
  const running = await startProxyCommand(t, [
    '--workers=2',
    `--max-clients=${CLIENTS}`,
    `--upstream=127.0.0.1:${cluster.nodes[0]?.port}`,
    `--listen=127.0.0.1:${port}`,
  ]);
  const workers = async (): Promise<readonly { readonly pid: number; readonly upstreams: object }[]> =>
    (await (await fetch(`${running.admin}/topology`)).json()) as { pid: number; upstreams: object }[];

  await t.test('clients are spread over them, with an id each, and counted together', async (t2) => {
    const clients = Array.from({ length: CLIENTS }, () => connect(t2, port));
    await Promise.all(clients.map((each, index) => each.set(`k${index}`, 'v')));
    const ids = await Promise.all(clients.map((each) => each.client('ID')));
    assert.equal(new Set(ids).size, CLIENTS);
    // Odd ones are the first worker's.
    assert.deepEqual(new Set(ids.map((id) => id % 2)), new Set([0, 1]));
    const metrics = await (await fetch(`${running.admin}/metrics`)).text();
    assert.match(metrics, new RegExp(`redpilot_proxy_clients ${CLIENTS}\n`));
    assert.match(
      metrics,
      new RegExp(`redpilot_proxy_commands_total{kind="keyed",outcome="ok"} ${CLIENTS}\n`),
    );
    const refused = connect(t2, port);
    await assert.rejects(refused.get('k'), /max number of clients|closed/);
  });

  await t.test('a worker that dies is replaced; the others go on', async (t2) => {
    await eventually('the clients before to be gone', async () =>
      /redpilot_proxy_clients 0\n/.test(await (await fetch(`${running.admin}/metrics`)).text())
        ? true
        : undefined,
    );
    const clients = Array.from({ length: 4 }, () => connect(t2, port));
    const ids = await Promise.all(clients.map((each) => each.client('ID')));
    const before = await workers();
    assert.equal(before.length, 2);
    process.kill(before[0]!.pid, 'SIGKILL');
    for (const [index, each] of clients.entries()) {
      if (Number(ids[index]) % 2 === 0) assert.equal(await each.get('k0'), 'v');
    }
    const after = await eventually(
      'two workers again',
      async () => {
        const [now, ready] = [await workers(), await fetch(`${running.admin}/readyz`)];
        return now.length === 2 && ready.status === 200 ? now : undefined;
      },
      // As long as the start of a process is waited for elsewhere.
      { deadlineMs: 60_000, seen: () => running.said() },
    );
    assert.ok(!after.some(({ pid }) => pid === before[0]!.pid));
    const more = Array.from({ length: 4 }, () => connect(t2, port));
    assert.deepEqual(await Promise.all(more.map((each) => each.get('k0'))), ['v', 'v', 'v', 'v']);
  });

  await t.test('what the dead one has counted still counts', async () => {
    const metrics = await (await fetch(`${running.admin}/metrics`)).text();
    const [, count] = /redpilot_proxy_commands_total{kind="keyed",outcome="ok"} (\d+)\n/.exec(metrics) ?? [];
    // Half of them, and of those that came later, were asked of it.
    assert.ok(Number(count) >= CLIENTS + 4, count);
  });

  await t.test('asked to stop, they answer what was asked, and all end', async (t2) => {
    const waiting = connect(t2, port);
    await waiting.ping();
    const answer = waiting.blpop('queue', 1);
    await waiting.ping().catch(() => {});
    const status = await running.stop();
    assert.equal(status, 0);
    assert.equal(await answer, null);
    await eventually('nobody to listen', async () =>
      (await fetch(`http://127.0.0.1:${port}`).catch(() => undefined)) === undefined ? true : undefined,
    );
  });
});

test('a worker comes back with the password and the certificate that it had, whatever the files are by then', async (t) => {
  const folder = await temporaryFolder('worker-files');
  t.after(() => removeFolder(folder));
  const authority = await createAuthority(validForSeconds(3_600));
  const { certificate, key } = await authority.issueServer(['127.0.0.1'], validForSeconds(3_600));
  const files = { password: 'of-clients', 'tls.crt': certificate, 'tls.key': key };
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  const { running, port, pids } = await startTwo(t, [
    `--client-password-file=${join(folder, 'password')}`,
    `--tls-listener-cert=${join(folder, 'tls.crt')}`,
    `--tls-listener-key=${join(folder, 'tls.key')}`,
  ]);
  const before = await pids();
  for (const name of Object.keys(files)) await writeFile(join(folder, name), '');
  for (const pid of before) process.kill(pid, 'SIGKILL');
  await eventually(
    'two others',
    async () => {
      const [now, ready] = [await pids(), await fetch(`${running.admin}/readyz`)];
      return now.length === 2 && !now.some((pid) => before.includes(pid)) && ready.status === 200
        ? true
        : undefined;
    },
    { deadlineMs: 60_000, seen: () => running.said() },
  );
  const tls = { ca: authority.certificate };
  for (let index = 0; index < 2; index++) {
    assert.equal(await connect(t, port, { tls, password: 'of-clients' }).get('k'), 'v');
    await assert.rejects(connect(t, port, { tls }).get('k'), /NOAUTH/);
  }
  assert.doesNotMatch(running.said(), /of-clients|PRIVATE KEY/);
  await eventually(
    'a word on the file',
    () =>
      /--client-password-file .*is empty.*the password before stays in force/.test(running.said()) ||
      undefined,
  );
});

test('what workers have counted is told by them as they end, though nobody has asked for it', async (t) => {
  const { running, port, pids } = await startTwo(t);
  const before = await pids();
  const clients = Array.from({ length: CLIENTS }, () => connect(t, port));
  await Promise.all(clients.map((each) => each.get('k')));
  for (const pid of before) process.kill(pid, 'SIGTERM');
  // Asked while they end, too.
  const metrics = await eventually('their end', async () => {
    if ((await pids()).some((pid) => before.includes(pid))) return undefined;
    return await (await fetch(`${running.admin}/metrics`)).text();
  });
  assert.match(running.said(), /"worker":1,"how":"status 0"/);
  assert.match(metrics, new RegExp(`redpilot_proxy_commands_total{kind="keyed",outcome="ok"} ${CLIENTS}\n`));
  const sent = new RegExp(`redpilot_proxy_node_commands_total{.*type="read"} ${CLIENTS}\n`);
  assert.match(metrics, sent, 'of a node too');
});

const KEEPS_FROM_STARTING: readonly (readonly [flags: readonly string[], why: RegExp])[] = [
  [['--client-password-file=/nowhere'], /--client-password-file \/nowhere: it can't be read/],
  // Looked at before there is a proxy to close.
  [
    [`--tls-listener-cert=${import.meta.filename}`, `--tls-listener-key=${import.meta.filename}`],
    /--tls-listener-cert .* is not a certificate/,
  ],
];
for (const [flags, why] of KEEPS_FROM_STARTING) {
  test(`what keeps workers from starting is said once, and ends the command (${flags[0]?.split('=')[0]})`, async () => {
    const { status, lines } = await failedProxyCommand([
      '--workers=2',
      '--admin-address=127.0.0.1:0',
      '--upstream=127.0.0.1:1',
      ...flags,
    ]);
    assert.equal(status, 1);
    assert.equal(lines.length, 1);
    assert.match(lines[0] ?? '', why);
  });
}

/** Two workers before a Redis that has `v` everywhere. */
async function startTwo(
  t: TestContext,
  flags: readonly string[] = [],
): Promise<{
  readonly running: Awaited<ReturnType<typeof startProxyCommand>>;
  readonly port: number;
  readonly pids: () => Promise<readonly number[]>;
}> {
  const redis = await serverThat(t, (words) => (words === 'PING' ? '+PONG\r\n' : '$1\r\nv\r\n'));
  const [port = 0] = await freePorts(1);
  const running = await startProxyCommand(t, [
    '--workers=2',
    '--mode=proxy',
    `--upstream=127.0.0.1:${redis.port}`,
    `--listen=127.0.0.1:${port}`,
    ...flags,
  ]);
  const pids = async (): Promise<readonly number[]> =>
    ((await (await fetch(`${running.admin}/topology`)).json()) as { pid: number }[]).map(({ pid }) => pid);
  return { running, port, pids };
}

function connect(
  t: TestContext,
  port: number,
  options: { readonly password?: string; readonly tls?: { readonly ca: string } } = {},
): Redis {
  const made = new Redis({
    ...options,
    host: '127.0.0.1',
    port,
    disableClientInfo: true,
    enableReadyCheck: false,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  });
  made.on('error', () => {});
  t.after(() => made.disconnect());
  return made;
}
