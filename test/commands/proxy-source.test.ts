import assert from 'node:assert/strict';
import { test } from 'node:test';

import { createProgram } from '../../src/cli.ts';
import { proxyCommand } from '../../src/commands/proxy.ts';
import { chooseSource, type SourceOptions } from '../../src/commands/proxy-source.ts';

/** What the call is refused with; nothing is started. */
function refusal(args: readonly string[]): string {
  const program = createProgram([proxyCommand]);
  const command = program.commands.find((each) => each.name() === 'proxy') ?? assert.fail('no proxy');
  command.exitOverride().configureOutput({ writeErr: () => {} });
  command.action(() => {
    chooseSource(command, command.opts<SourceOptions>());
  });
  try {
    program.parse(['proxy', ...args], { from: 'user' });
    return 'it was taken';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

const ONE_OF = /give one of --xds-address HOST:PORT, --config PATH, --kubernetes and --upstream HOST:PORT/;
const XDS = ['--xds-address', '127.0.0.1:18000'];
const TLS = ['--tls-ca', 'ca', '--tls-cert', 'cert', '--tls-key', 'key'];

const WRONG: readonly (readonly [args: readonly string[], why: RegExp])[] = [
  [[], ONE_OF],
  [[...XDS, '--config', 'objects'], ONE_OF],
  [[...XDS, '--kubernetes'], ONE_OF],
  [['--config', 'objects', '--upstream', 'redis:6379'], ONE_OF],
  [[...XDS, '--tls-ca', 'ca'], /--tls-ca, --tls-cert and --tls-key are given together/],
  [['--config', 'objects', ...TLS], /--tls-ca, --tls-cert and --tls-key are for --xds-address; remove them/],
  [['--config', 'objects', '--selector', 'a=b'], /narrow what --kubernetes watches; remove them/],
  [[...XDS, '--watch-namespace', 'redis'], /narrow what --kubernetes watches; remove them/],
  [[...XDS, '--node-id', ' '], /write a name/],
  [
    [...XDS, '--client-password-file', 'f', '--read-policy', 'ANY'],
    /--read-policy \(REDPILOT_READ_POLICY\), --client-password-file \(REDPILOT_CLIENT_PASSWORD_FILE\): for --upstream only/,
  ],
  [[...XDS, '--hosts', 'a,,b'], /write hosts with a comma between them/],
];
for (const [args, why] of WRONG) {
  test(`refused: redpilot proxy ${args.join(' ')}`, () => assert.match(refusal(args), why));
}

const RIGHT: readonly (readonly string[])[] = [
  XDS,
  [
    ...XDS,
    ...TLS,
    '--node-id',
    'a',
    '--namespace',
    'shop',
    '--hosts',
    'a,b',
    '--bind',
    'auto',
    '--zone',
    'z',
  ],
  ['--config', 'objects', '--no-probe'],
  [
    '--kubernetes',
    '--namespace',
    'shop',
    '--watch-namespace',
    'a',
    '--watch-namespace',
    'b',
    '--selector',
    'x',
  ],
  ['--upstream', 'redis:6379'],
];
for (const args of RIGHT) {
  test(`taken: redpilot proxy ${args.join(' ')}`, () => assert.equal(refusal(args), 'it was taken'));
}
