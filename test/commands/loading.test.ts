/** What a call loads of the commands: no more than it needs. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { createProgram, loadCommands } from '../../src/cli.ts';

const all = createProgram(await loadCommands()).commands.map((command) => command.name());

const calls: [args: readonly string[], loaded: readonly string[]][] = [
  [['--version'], []],
  [['validate', 'serve'], ['validate']],
  [['--log-level', 'debug', 'status', '--help'], ['status']],
  [['--help'], all],
  [['help', 'serve'], all],
  [['valdate', 'serve'], all],
  [['constructor'], all],
  [[], all],
];

for (const [args, loaded] of calls) {
  test(`"redpilot ${args.join(' ')}" loads ${loaded === all ? 'all commands' : loaded.join(' ') || 'none'}`, async () => {
    assert.deepEqual(
      createProgram(await loadCommands(args)).commands.map((command) => command.name()),
      loaded,
    );
  });
}
