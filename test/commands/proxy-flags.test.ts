import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { constants, mkdirSync, openSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';

import { pino } from 'pino';

import { followFlags } from '../../src/commands/proxy-flags.ts';
import { removeFolder, temporaryFolder } from '../../src/demo/child-process.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { Proxy } from '../../src/proxy/proxy.ts';
import { clientOf, serverThat, type Client } from '../proxy/servers.ts';

/** As the kubelet mounts a Secret: only the link to the folder is ever replaced. */
function mount(folder: string, version: string, files: Readonly<Record<string, string>>): void {
  mkdirSync(join(folder, version));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, version, name), text);
  symlinkSync(version, join(folder, `${version}-link`));
  renameSync(join(folder, `${version}-link`), join(folder, '..data'));
}

async function answered(client: Client, command: string, reply: string): Promise<void> {
  client.socket.write(`${command}\r\n`);
  await eventually(`${reply} to ${command}`, () => client.got().endsWith(reply) || undefined, {
    deadlineMs: 30_000,
    seen: () => client.got(),
  });
}

test('password files are read again when they change: new connections use them, others go on', async (t) => {
  const folder = await temporaryFolder('passwords');
  t.after(() => removeFolder(folder));
  mount(folder, 'v1', { client: 'c1', upstream: ' u1 \r\n\n' });
  for (const name of ['client', 'upstream']) symlinkSync(join('..data', name), join(folder, name));
  const redis = await serverThat(t, (words) => {
    if (words.startsWith('AUTH')) return '+OK\r\n';
    return words === 'PING' ? '+PONG\r\n' : '$1\r\nv\r\n';
  });
  const lines: string[] = [];
  const log = pino({ base: null }, { write: (line: string) => void lines.push(line) });
  const times = { hedgeAfterMs: 200, failoverWaitMs: 5_000, drainMs: 1_000 };
  const proxy = await Proxy.create({ ...times, maxClients: 10, log });
  t.after(() => proxy.close());
  const flags = {
    upstream: { address: '127.0.0.1', port: redis.port },
    mode: 'proxy',
    readPolicy: 'MASTER',
    listen: { address: '127.0.0.1', port: 0 },
    clientPasswordFile: join(folder, 'client'),
    upstreamPasswordFile: join(folder, 'upstream'),
  } as const;
  const following = await followFlags(proxy, flags, log);
  t.after(() => following.close());
  const port = Number([...proxy.addresses().values()][0]?.split(':').pop());
  const early = clientOf(t, port);
  await answered(early, 'AUTH c1', '+OK\r\n');
  await answered(early, 'GET a', 'v\r\n');
  assert.ok(redis.asked.includes('AUTH u1'));

  mount(folder, 'v2', { client: 'c2', upstream: 'u2' });
  const changes = (): number => lines.filter((line) => line.includes('has changed')).length;
  await eventually('the changes', () => changes() === 2 || undefined, { deadlineMs: 30_000 });
  await answered(clientOf(t, port), 'AUTH c1', 'disabled.\r\n');
  const late = clientOf(t, port);
  await answered(late, 'AUTH c2', '+OK\r\n');
  await answered(late, 'GET a', 'v\r\n');
  assert.ok(redis.asked.includes('AUTH u2'));
  await answered(early, 'GET a', '$1\r\nv\r\n$1\r\nv\r\n');

  mount(folder, 'v3', { client: '', upstream: 'u2' });
  const problem = '--client-password-file';
  await eventually('the problem', () => lines.some((line) => line.includes(problem)) || undefined, {
    deadlineMs: 30_000,
  });
  await answered(clientOf(t, port), 'AUTH c2', '+OK\r\n');
  assert.equal(changes(), 2);

  // What is wrong with one file is no reason to go on with the other's former password.
  mount(folder, 'v4', { client: '', upstream: 'u4' });
  await eventually('the third change', () => changes() === 3 || undefined, { deadlineMs: 30_000 });
  const last = clientOf(t, port);
  await answered(last, 'AUTH c2', '+OK\r\n');
  await answered(last, 'GET a', 'v\r\n');
  assert.ok(redis.asked.includes('AUTH u4'));
});

test('a password that comes by a pipe is read once', async (t) => {
  const folder = await temporaryFolder('pipes');
  t.after(() => removeFolder(folder));
  const pipe = join(folder, 'client');
  execFileSync('mkfifo', [pipe]);
  const upstreamPasswordFile = join(folder, 'upstream');
  writeFileSync(upstreamPasswordFile, 'u0');
  const lines: string[] = [];
  const log = pino({ base: null }, { write: (line: string) => void lines.push(line) });
  const times = { hedgeAfterMs: 200, failoverWaitMs: 5_000, drainMs: 1_000 };
  const proxy = await Proxy.create({ ...times, maxClients: 10, log });
  t.after(() => proxy.close());
  const written = writeFile(pipe, 'of-clients');
  const following = await followFlags(
    proxy,
    {
      upstream: { address: '127.0.0.1', port: 1 },
      mode: 'proxy',
      readPolicy: 'MASTER',
      listen: { address: '127.0.0.1', port: 0 },
      clientPasswordFile: pipe,
      upstreamPasswordFile,
    },
    log,
  );
  t.after(() => following.close());
  await written;
  // By the second change of the other file it would have been looked at again.
  for (const version of [1, 2]) {
    writeFileSync(upstreamPasswordFile, `u${version}`);
    const changes = (): number => lines.filter((line) => line.includes('has changed')).length;
    await eventually('the change', () => changes() === version || undefined, { deadlineMs: 30_000 });
  }
  // Nobody reads there, nor waits for somebody who writes.
  assert.throws(() => openSync(pipe, constants.O_WRONLY | constants.O_NONBLOCK), { code: 'ENXIO' });
});

test('a password that has come by a pipe is not waited for again by a worker that knows it', async (t) => {
  const folder = await temporaryFolder('pipes');
  t.after(() => removeFolder(folder));
  const pipe = join(folder, 'client');
  execFileSync('mkfifo', [pipe]);
  const redis = await serverThat(t, () => '$1\r\nv\r\n');
  const log = pino({ enabled: false });
  const times = { hedgeAfterMs: 200, failoverWaitMs: 5_000, drainMs: 1_000 };
  const proxy = await Proxy.create({ ...times, maxClients: 10, log });
  t.after(() => proxy.close());
  const following = await followFlags(
    proxy,
    {
      upstream: { address: '127.0.0.1', port: redis.port },
      mode: 'proxy',
      readPolicy: 'MASTER',
      listen: { address: '127.0.0.1', port: 0 },
      clientPasswordFile: pipe,
    },
    log,
    { recall: () => 'of-clients', keep: () => {} },
  );
  t.after(() => following.close());
  const port = Number([...proxy.addresses().values()][0]?.split(':').pop());
  const client = clientOf(t, port);
  await answered(client, 'AUTH of-clients', '+OK\r\n');
  await answered(client, 'GET a', 'v\r\n');
});
