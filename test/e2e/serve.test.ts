import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';

import { freePorts, removeFolder, temporaryFolder } from '../../src/demo/child-process.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { CLI, redpilot } from './command-line.ts';
import { withPassword } from './objects.ts';

const SAMPLE = fileURLToPath(new URL('../../manifests/samples/read-policy.yaml', import.meta.url));

const SECRET = 'a-very-secret-word';
const closed = withPassword(SECRET);

interface Serving {
  readonly admin: string;
  readonly output: () => string;
  readonly ended: Promise<number | null>;
  kill(signal: NodeJS.Signals): void;
}

async function serve(t: TestContext, folder: string, extra: readonly string[] = []): Promise<Serving> {
  const [xds = 0, adminPort = 0] = await freePorts(2);
  const args = [
    'serve',
    '--config',
    folder,
    '--xds-address',
    `127.0.0.1:${xds}`,
    '--admin-address',
    `127.0.0.1:${adminPort}`,
    ...extra,
  ];
  const child = spawn(process.execPath, [CLI, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  t.after(async () => {
    child.kill('SIGKILL');
    await ended;
  });
  const admin = `http://127.0.0.1:${adminPort}`;
  await eventually(
    'ready',
    async () => ((await fetch(`${admin}/readyz`)).status === 200 ? true : undefined),
    // The start of a process.
    { deadlineMs: 60_000, seen: () => output },
  );
  return { admin, output: () => output, ended, kill: (signal) => child.kill(signal) };
}

test('serve: ready, follows an edit, shows no secret anywhere, and ends at SIGTERM with status 0', async (t) => {
  const folder = await temporaryFolder('serve');
  t.after(() => removeFolder(folder));
  writeFileSync(join(folder, 'a.yaml'), closed);
  const serving = await serve(t, folder, ['--log-level', 'debug']);
  await eventually('the objects in the log', () =>
    serving.output().includes('objects changed') ? true : undefined,
  );
  writeFileSync(join(folder, 'a.yaml'), closed.replace('settings:', 'settings:\n    readPolicy: NOWHERE'));
  await eventually(
    'the mistake in the log',
    () => (serving.output().includes('is not a read policy') ? true : undefined),
    {
      seen: serving.output,
    },
  );
  writeFileSync(join(folder, 'a.yaml'), closed);
  await eventually('the mend in the log', () => (serving.output().includes('no longer:') ? true : undefined));
  for (const path of ['/config_dump', '/metrics'])
    assert.ok(!(await (await fetch(`${serving.admin}${path}`)).text()).includes(SECRET));
  rmSync(join(folder, 'a.yaml'));
  await eventually(
    'what went in the log',
    () => (/RedisService \S+ is gone/.test(serving.output()) ? true : undefined),
    { seen: serving.output },
  );
  serving.kill('SIGTERM');
  assert.equal(await serving.ended, 0);
  assert.ok(!serving.output().includes(SECRET));
});

test('serve: a taken xDS port is one line with the address, and status 1', async (t) => {
  const taken = createServer();
  taken.listen(0, '127.0.0.1');
  await once(taken, 'listening');
  t.after(() => taken.close());
  const { port } = taken.address() as { port: number };
  const { status, stderr } = await redpilot([
    'serve',
    '--config',
    SAMPLE,
    '--xds-address',
    `127.0.0.1:${port}`,
    '--admin-address',
    '127.0.0.1:0',
    '--log-level',
    'silent',
  ]);
  assert.equal(status, 1);
  assert.match(
    stderr,
    new RegExp(`^redpilot: xDS address 127.0.0.1:${port} is in use by another process; .*\\n$`),
  );
});

test('serve: an xDS address beyond loopback is refused without --insecure', async () => {
  const { status, stderr } = await redpilot([
    'serve',
    '--config',
    SAMPLE,
    '--xds-address',
    '0.0.0.0:0',
    '--admin-address',
    '127.0.0.1:0',
  ]);
  assert.equal(status, 1);
  // Alone: nothing was read or asked before.
  assert.match(stderr, /^redpilot: [^\n]*--insecure\n$/);
});
