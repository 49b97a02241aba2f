/** What the log of `serve` costs those that it serves. */
import assert from 'node:assert/strict';
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';

import { removeFolder, temporaryFolder } from '../../src/demo/child-process.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { TestClient } from '../xds/client.ts';

const CLI = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));

/** More than what waits between two processes when one does not read. */
const NODES = 8;
const ID_LETTERS = 300_000;

interface Unread {
  readonly child: ChildProcessWithoutNullStreams;
  /** As far as it was read. */
  readonly log: () => string;
}

/** With more lines than fit between two processes, and nobody to read them. */
async function serveUnread(t: TestContext): Promise<Unread> {
  const folder = await temporaryFolder('serve-log');
  t.after(() => removeFolder(folder));
  await writeFile(join(folder, 'none.yaml'), '');
  const addresses = ['--xds-address', '127.0.0.1:0', '--admin-address', '127.0.0.1:0'];
  const child = spawn(process.execPath, [CLI, 'serve', '--config', folder, ...addresses]);
  t.after(() => child.kill('SIGKILL'));
  let log = '';
  child.stderr.on('data', (chunk: Buffer) => {
    log += chunk.toString();
  });
  const address = await eventually('it serves', () => /serving xDS on ([\d.:]+)/.exec(log)?.[1], {
    deadlineMs: 60_000,
    seen: () => log,
  });
  child.stderr.pause();

  for (let index = 0; index < NODES; index += 1) {
    const client = new TestClient(address);
    const stream = client.stream('delta');
    stream.send('CDS', { node: { id: `${index}${'x'.repeat(ID_LETTERS)}`, cluster: 'apps' } });
    await stream.next();
    client.close();
  }
  return { child, log: () => log };
}

test('a log that nobody reads holds up no Envoy, and all of it is there for who reads on', async (t) => {
  const { child, log } = await serveUnread(t);
  child.stderr.resume();
  const ended = once(child, 'close');
  child.kill('SIGTERM');
  await ended;
  const lines = log().trim().split('\n');
  assert.equal(lines.filter((line) => line.includes('node connected')).length, NODES);
  assert.match(log(), /"msg":"stopping"/);
});

test('a log that nobody reads does not keep it from ending', async (t) => {
  const { child } = await serveUnread(t);
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  assert.deepEqual(await ended, [null, 'SIGTERM']);
});
