import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import type { Command } from 'commander';

import { createProgram } from '../../src/cli.ts';
import { proxyCommand } from '../../src/commands/proxy.ts';
import { chooseSource, warningsOf, type SourceOptions } from '../../src/commands/proxy-source.ts';

/** Hands on the options of a call; nothing is started. */
function parse(args: readonly string[], take: (command: Command, options: SourceOptions) => void): void {
  const program = createProgram([proxyCommand]);
  const command = program.commands.find((each) => each.name() === 'proxy') ?? assert.fail('no proxy');
  command.exitOverride().configureOutput({ writeErr: () => {} });
  command.action(() => take(command, command.opts<SourceOptions>()));
  program.parse(['proxy', ...args], { from: 'user' });
}

/** What the call is refused with. */
function refusal(args: readonly string[]): string {
  try {
    parse(args, chooseSource);
    return 'it was taken';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

const ONE_OF = /give one of --xds-address HOST:PORT, --config PATH, --kubernetes and --upstream HOST:PORT/;
const XDS = ['--xds-address', '127.0.0.1:18000'];
const UPSTREAM = ['--upstream', 'redis:6379'];
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
  [
    [...UPSTREAM, '--bind', 'auto'],
    /--bind: has an effect only with .*--xds-address or .*--kubernetes; remove it/,
  ],
  [[...UPSTREAM, '--hosts', 'redis'], /--hosts: has an effect only with/],
  [[...XDS, '--no-probe'], /--no-probe: has an effect only with --config or --kubernetes; remove it/],
  [['--config', 'objects', '--node-id', 'a'], /--node-id: has an effect only with --xds-address; remove it/],
  [[...XDS, '--hosts', 'a,,b'], /write hosts with a comma between them/],
  [['--upstream', 'redis:0'], /write the port that it listens on, 1 to 65535/],
  [['--xds-address', '127.0.0.1:0'], /write the port that it listens on, 1 to 65535/],
  [[...UPSTREAM, '--max-lag', '10ms'], /write a duration from 500ms to 1h, for example 5s/],
  [[...UPSTREAM, '--max-lag', '24h'], /write a duration from 500ms to 1h, for example 5s/],
  [[...UPSTREAM, '--log-slower-than', '0'], /write a duration from 1ms to 1h, for example 100ms/],
  [[...UPSTREAM, '--failover-wait', '9999999999'], /write a duration from 1ms to 1h/],
  [
    [...UPSTREAM, '--workers', '99999999'],
    /write a whole number from 1 to \d+; more than one a core gains nothing/,
  ],
  // By default it listens there.
  [['--upstream', '127.0.0.1:6379'], /the proxy would be its own Redis: .*another port with --listen/],
  [['--upstream', 'localhost:7000', '--listen', ':7000'], /the proxy would be its own Redis/],
  [['--upstream', 'localhost:7000', '--listen', '127.0.0.1:7000'], /the proxy would be its own Redis/],
  [
    [
      ...UPSTREAM,
      '--mode',
      'proxy',
      '--read-policy',
      'ANY',
      '--reads',
      '[::1]:7000',
      '--listen',
      '[::1]:7000',
    ],
    /the proxy would be its own Redis/,
  ],
  [
    [...UPSTREAM, '--client-username', 'app'],
    /--client-username goes with a password: add --client-password-file, or remove it/,
  ],
  [
    [...UPSTREAM, '--upstream-username', 'app'],
    /--upstream-username goes with a password: add --upstream-password-file, or remove it/,
  ],
  [[...UPSTREAM, '--upstream-username', 'a b'], /write the name of a user, without spaces/],
  [['--config', 'objects', '--client-username', 'app'], /--client-username .*: for --upstream only/],
  [[...UPSTREAM, '--client-password-file', ''], /write the path of a file, or leave it out altogether/],
  [[...UPSTREAM, '--tls-listener-ca='], /write the path of a file, or leave it out altogether/],
  [[...XDS, '--tls-ca', ''], /write the path of a file, or leave it out altogether/],
  [[...UPSTREAM, '--zone', ''], /write the name of a zone/],
  [[...UPSTREAM, ...UPSTREAM], /it is given twice/],
  [['--upstream', 'secret@redis:6379'], /write HOST:PORT, without a user or password before it/],
  [['--upstream', `${'a'.repeat(64)}.example:6379`], /at most 253 characters, and 63 between two dots/],
  [['--upstream', `${'a.'.repeat(126)}ab:6379`], /at most 253 characters, and 63 between two dots/],
  [[...UPSTREAM, '--listen', '6379'], /write 127\.0\.0\.1:6379, or :6379 for every address$/],
  [['--upstream', ' redis:6379'], /write HOST:PORT or/],
  [['--upstream', 'a,b:6379'], /write HOST:PORT or/],
  [['--upstream', '[::1::]:6379'], /write HOST:PORT or/],
  [['--upstream', 'redis://redis:6379'], /write HOST:PORT, without a scheme before it/],
  [['--kubernetes', '--namespace', 'a', '--watch-namespace', ''], /write the name of a namespace/],
  [[...UPSTREAM, '--max-clients', '1e3'], /write a whole number from 1 to 1000000/],
];
for (const [args, why] of WRONG) {
  test(`refused: redpilot proxy ${args.join(' ')}`, () => assert.match(refusal(args), why));
}

test('of two sources both are named, and which of them is in the environment', (t) => {
  setVariables(t, { REDPILOT_UPSTREAM: 'redis:6379' });
  assert.match(
    refusal(['--config', 'objects']),
    /; given are --config and REDPILOT_UPSTREAM \(in the environment\)$/m,
  );
});

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
  UPSTREAM,
  ['--upstream', 'redis:7000', '--listen', ':7000'],
  ['--upstream', 'my_redis:6379', '--listen', '[::]:6379'],
  ['--upstream', '127.0.0.1:7000', '--listen', '127.0.0.2:7000'],
  [
    ...UPSTREAM,
    '--max-lag',
    '500ms',
    '--log-slower-than',
    '100',
    '--failover-wait',
    '1.5s',
    '--workers',
    '8',
  ],
];
for (const args of RIGHT) {
  test(`taken: redpilot proxy ${args.join(' ')}`, () => assert.equal(refusal(args), 'it was taken'));
}

const PLAIN = [...UPSTREAM, '--mode', 'proxy'];
const WARNINGS: readonly (readonly [args: readonly string[], ...warnings: readonly RegExp[]])[] = [
  [[...PLAIN, '--read-policy', 'REPLICA'], /^--read-policy REPLICA has no effect: .*--reads/],
  [[...PLAIN, '--read-policy', 'REPLICA', '--reads', 'replicas:6379', '--max-lag', '5s']],
  [PLAIN],
  [[...UPSTREAM, '--read-policy', 'REPLICA', '--zone', 'a', '--max-lag', '5s']],
  [[...PLAIN, '--reads', PLAIN.at(1)!, '--read-policy', 'REPLICA'], /^--reads is where --upstream leads/],
  [[...PLAIN, '--max-lag', '5s', '--zone', 'a'], /^--max-lag has no effect: /, /^--zone has no effect: /],
  [['--config', 'objects', '--max-lag', '5s', '--zone', 'a']],
];
for (const [args, ...expected] of WARNINGS) {
  const what = expected.length === 0 ? 'nothing is without effect' : 'what has no effect is told';
  test(`${args.join(' ')}: ${what}`, () => {
    let warnings: readonly string[] | undefined;
    parse(args, (_, options) => (warnings = warningsOf(options)));
    assert.equal(warnings?.length, expected.length);
    for (const [index, warning] of expected.entries()) assert.match(warnings?.[index] ?? '', warning);
  });
}

test('each flag without objects is an environment variable, too', (t) => {
  const given = [
    ['--upstream', 'redis:6379'],
    ['--mode', 'proxy'],
    ['--reads', 'replicas:6380'],
    ['--read-policy', 'ANY'],
    ['--listen', ':6381'],
    ['--client-username', 'app'],
    ['--client-password-file', 'of-clients'],
    ['--upstream-username', 'proxy'],
    ['--upstream-password-file', 'of-redis'],
    ['--tls-listener-cert', 'cert'],
    ['--tls-listener-key', 'key'],
    ['--tls-listener-ca', 'ca'],
    ['--zone', 'a'],
    ['--admin-address', '127.0.0.1:1'],
    ['--hedge-after', '100ms'],
    ['--max-lag', '5s'],
    ['--failover-wait', '1s'],
    ['--log-slower-than', '100ms'],
    ['--max-clients', '5'],
    ['--workers', '2'],
  ] as const;
  const byFlags = optionsOf(given.flat());
  const names = given.map(([flag]) => `REDPILOT_${flag.slice(2).toUpperCase().replaceAll('-', '_')}`);
  setVariables(t, Object.fromEntries(given.map(([, value], index) => [names[index], value])));
  assert.deepEqual(optionsOf([]), byFlags);
});

test('a flag comes before its variable', (t) => {
  setVariables(t, { REDPILOT_UPSTREAM: 'other:6379', REDPILOT_MODE: 'proxy' });
  const { upstream, mode } = optionsOf([...UPSTREAM, '--mode', 'cluster']);
  assert.deepEqual([upstream, mode], [{ address: 'redis', port: 6_379 }, 'cluster']);
});

const OPENING = [
  'CLIENT_PASSWORD_FILE',
  'UPSTREAM_PASSWORD_FILE',
  'TLS_LISTENER_CERT',
  'TLS_LISTENER_KEY',
  'TLS_LISTENER_CA',
];
for (const name of OPENING) {
  test(`REDPILOT_${name} that is empty is no leave to go without`, (t) => {
    setVariables(t, { [`REDPILOT_${name}`]: '' });
    assert.match(
      refusal(UPSTREAM),
      new RegExp(
        `from env 'REDPILOT_${name}' is invalid. write the path of a file, or leave it out altogether`,
      ),
    );
  });
}

test('all other variables may be empty, which is as good as none', (t) => {
  const byDefault = optionsOf(UPSTREAM);
  const variables = proxyCommand().options.flatMap(({ envVar }) => envVar ?? []);
  const others = variables.filter((name) => !OPENING.includes(name.replace('REDPILOT_', '')));
  assert.ok(others.length > 10);
  setVariables(t, Object.fromEntries(others.map((name) => [name, ''])));
  assert.deepEqual(optionsOf(UPSTREAM), byDefault);
});

function optionsOf(args: readonly string[]): SourceOptions {
  let found: SourceOptions | undefined;
  parse(args, (_, options) => (found = options));
  return found ?? assert.fail('no options');
}

function setVariables(t: TestContext, variables: Readonly<Record<string, string>>): void {
  Object.assign(process.env, variables);
  t.after(() => {
    for (const name of Object.keys(variables)) delete process.env[name];
  });
}
