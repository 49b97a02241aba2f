import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';

import { removeFolder, temporaryFolder } from '../../src/demo/child-process.ts';
import { CLI } from './command-line.ts';

const UPSTREAM = ['--upstream', '127.0.0.1:1', '--admin-address', '127.0.0.1:0'];

/** A proxy that does not end is killed, and has no status. */
function proxy(args: readonly string[]): { readonly status: number | null; readonly stderr: string } {
  const options = { encoding: 'utf8', timeout: 30_000, killSignal: 'SIGKILL' } as const;
  return spawnSync(process.execPath, [CLI, 'proxy', ...args], options);
}

test('a proxy whose address is taken ends, and says so', async (t) => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  t.after(() => taken.close());
  const { port } = taken.address() as AddressInfo;
  const { status, stderr } = proxy([...UPSTREAM, '--listen', `127.0.0.1:${port}`]);
  assert.equal(status, 1);
  // Whether it has noticed by then that nobody is behind it is up to the machine.
  assert.ok(
    stderr
      .split('\n')
      .includes(
        `redpilot: 127.0.0.1:${port} is in use by another process; give another address with --listen`,
      ),
    stderr,
  );
});

test('a proxy whose password file is missing, empty, no text or several lines ends, and names the flag', async (t) => {
  const folder = await temporaryFolder('proxy-call');
  t.after(() => removeFolder(folder));
  const empty = join(folder, 'empty');
  writeFileSync(empty, '\n');
  const binary = join(folder, 'binary');
  writeFileSync(binary, 'caf\xe9', 'latin1');
  const two = join(folder, 'two');
  writeFileSync(two, 'old\nnew\n');
  for (const [flag, path, why] of [
    ['--client-password-file', two, 'has several lines; write the password alone into it'],
    [
      '--client-password-file',
      join(folder, 'none'),
      "it can't be read (ENOENT); give a file with the password",
    ],
    ['--upstream-password-file', empty, 'is empty; write the password into it'],
    ['--client-password-file', binary, 'is not UTF-8; give a password that is text'],
  ] as const) {
    const { status, stderr } = proxy([...UPSTREAM, '--listen', '127.0.0.1:0', flag, path]);
    assert.equal(status, 1);
    assert.equal(stderr, `redpilot: ${flag} ${path}: ${why}\n`);
  }
});

test('a proxy is for a namespace that can be', () => {
  const { status, stderr } = proxy(['--config', '.', '--namespace', 'Shop']);
  assert.equal(status, 2);
  assert.match(stderr, /write the name of a namespace/);
});
