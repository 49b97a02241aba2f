/** What `serve` is refused with where its flags do not go together; nothing is started. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { serveCommand } from '../../src/commands/serve.ts';

const WRONG: readonly (readonly [args: readonly string[], why: RegExp])[] = [
  [['--config', 'objects', '--istio'], /--istio writes to a cluster; give it with --kubernetes/],
  [['--kubernetes', '--state', 'state.json'], /--state goes with --config/],
  [['--kubernetes', '--istio-namespaces', 'shop'], /--istio-namespaces goes with --istio/],
  [['--kubernetes', '--istio-root-namespace', 'mesh'], /--istio-root-namespace goes with --istio/],
  [['--kubernetes', '--istio-priority', '10'], /--istio-priority goes with --istio/],
  [['--kubernetes', '--istio-envoy-version', '1.36'], /--istio-envoy-version goes with --istio/],
  [['--config', 'objects', '--istio-drain', '90s'], /--istio-drain goes with --istio/],
  [['--kubernetes', '--istio', '--istio-namespaces', 'shop,.'], /write namespaces by name, or "\*"/],
  [['--kubernetes', '--istio', '--istio-priority', 'high'], /write a whole number, for example 10/],
];

for (const [args, why] of WRONG) {
  test(`serve ${args.join(' ')} is refused`, async () => {
    const command = serveCommand()
      .option('--log-level <level>', 'as of the program', 'silent')
      .exitOverride()
      .configureOutput({ writeErr: () => {} });
    await assert.rejects(command.parseAsync([...args], { from: 'user' }), why);
  });
}
