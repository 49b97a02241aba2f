import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';

import { freePorts, removeFolder, temporaryFolder } from '../../src/demo/child-process.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { clientOf, serverThat } from '../proxy/servers.ts';
import { CLI } from './command-line.ts';

/** A pipe that takes no more, and that nobody reads. */
function fullPipe(path: string): { readonly end: number; readonly holder: number } {
  execFileSync('mkfifo', [path]);
  const holder = openSync(path, constants.O_RDWR | constants.O_NONBLOCK);
  try {
    for (;;) writeSync(holder, 'x'.repeat(4_096));
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, 'EAGAIN');
  }
  return { end: openSync(path, constants.O_WRONLY), holder };
}

test('a log that nobody reads holds up no command, nor the end', async (t) => {
  const folder = await temporaryFolder('log-reader');
  t.after(() => removeFolder(folder));
  const { end, holder } = fullPipe(join(folder, 'log'));
  t.after(() => [end, holder].forEach((each) => closeSync(each)));
  await holdsUpNothing(t, end);
});

test('a log on a full disk holds up no command, nor the end', async (t) => {
  // Whatever is written there fails as on a full disk.
  const end = openSync('/dev/full', 'w');
  t.after(() => closeSync(end));
  await holdsUpNothing(t, end);
});

async function holdsUpNothing(t: TestContext, end: number): Promise<void> {
  const redis = await serverThat(t, (words) => (words === 'PING' ? '+PONG\r\n' : '$1\r\nv\r\n'));
  const [port = 0, adminPort = 0] = await freePorts(2);
  const args = [
    `--upstream=127.0.0.1:${redis.port}`,
    '--mode=proxy',
    `--listen=127.0.0.1:${port}`,
    `--admin-address=127.0.0.1:${adminPort}`,
  ];
  const child = spawn(process.execPath, [CLI, 'proxy', ...args], { stdio: ['ignore', 'ignore', end] });
  t.after(() => child.kill('SIGKILL'));
  await eventually(
    'a reply',
    async () => {
      const client = clientOf(t, port);
      client.socket.write('GET a\r\n');
      await once(client.socket, 'data', { signal: AbortSignal.timeout(2_000) }).catch(() => {});
      client.socket.destroy();
      return client.got() === '$1\r\nv\r\n' ? true : undefined;
    },
    { deadlineMs: 60_000 },
  );
  await eventually(
    'readiness',
    async () => (await fetch(`http://127.0.0.1:${adminPort}/readyz`)).status === 200 || undefined,
    { deadlineMs: 60_000 },
  );
  child.kill('SIGTERM');
  await eventually('the end', () => child.exitCode !== null || child.signalCode !== null || undefined);
}
