import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { removeFolder, temporaryFolder } from '../../src/demo/child-process.ts';
import { redpilot } from './command-line.ts';
import { documents, redisService, withPassword } from './objects.ts';

const SAMPLE = fileURLToPath(new URL('../../manifests/samples/read-policy.yaml', import.meta.url));

const wrong = documents(redisService({ name: 'a', settings: { readPolicy: 'REPLICAS' } }));
const TLS_BOOTSTRAP = ['bootstrap', '--xds-address', '127.0.0.1:18000', '--node-id', 'a'];
const usage: [what: string, args: string[], stderr: RegExp][] = [
  ['no command', [], /Usage: redpilot/],
  [
    'an unknown command',
    ['serv'],
    /^redpilot: unknown command 'serv' \(Did you mean serve\?\); see redpilot --help\n$/,
  ],
  [
    'the help of an unknown command',
    ['help', 'serv'],
    /^redpilot: unknown command 'serv' \(Did you mean serve\?\)/,
  ],
  [
    'a state among the objects',
    ['serve', '--config', SAMPLE, '--state', SAMPLE],
    /^redpilot: --state lies where --config reads objects; give a file outside of it; see redpilot serve --help\n$/,
  ],
  [
    'an unknown option',
    ['serve', '--config', SAMPLE, '--colour'],
    /^redpilot: unknown option '--colour'.*see redpilot serve --help\n$/s,
  ],
  [
    'serve without --config',
    ['serve'],
    /^redpilot: give either --config with a file or folder, or --kubernetes; see redpilot serve --help\n$/,
  ],
  [
    'serve that narrows files by a namespace',
    ['serve', '--config', SAMPLE, '--namespace', 'redis'],
    /narrow what --kubernetes watches; remove them/,
  ],
  [
    'an address without a port',
    ['serve', '--config', SAMPLE, '--xds-address', 'localhost'],
    /write HOST:PORT or \[IPV6\]:PORT/,
  ],
  [
    'an address with a password before it, which is not repeated',
    ['proxy', '--upstream', 'user:topsecret@127.0.0.1:6379'],
    /^(?!.*topsecret).*without a user or password before it/s,
  ],
  [
    'a flag that is none with a password in it, which is not repeated',
    ['proxy', '--upsteam=user:topsecret@127.0.0.1:6379'],
    /^(?!.*topsecret).*unknown option '--upsteam=…'/s,
  ],
  [
    'a flag that is none, of a password, which is not repeated',
    ['proxy', "--upstream-password=top'secret@\nsecret"],
    /^(?!.*secret).*unknown option '--upstream-password=…'; see redpilot proxy --help\n$/s,
  ],
  [
    'an address with a password at no flag, which is not repeated',
    ['proxy', 'user:topsecret@127.0.0.1:6379'],
    /^(?!.*topsecret).*too many arguments/s,
  ],
  [
    'one address for two ports of the proxy',
    ['proxy', '--upstream', '127.0.0.1:1', '--listen', '127.0.0.1:2', '--admin-address', '127.0.0.1:2'],
    /--listen and --admin-address are the same address/,
  ],
  [
    'a drain time that is no number',
    ['bootstrap', '--xds-address', '127.0.0.1:1', '--node-id', 'a', '--drain-seconds', 'long'],
    /whole number of seconds/,
  ],
  [
    'an unknown form',
    ['translate', '--config', SAMPLE, '--to', 'json'],
    /Allowed choices are plan, xds, envoy/,
  ],
  ['a folder without a name', ['certs', '--out', ''], /write the path of a folder/],
  [
    'an Envoy that is too old',
    ['translate', '--config', SAMPLE, '--envoy-version', '1.20'],
    /'1\.20' is invalid\. it is too old; 1\.36 to 1\.40 are supported/,
  ],
  [
    'a bind address that is none',
    ['serve', '--config', SAMPLE, '--bind', 'localhost'],
    /write an IP address, or auto for a loopback address/,
  ],
  [
    'a namespace that can be none',
    ['bootstrap', '--xds-address', '127.0.0.1:1', '--node-id', 'a', '--namespace', 'Foo_'],
    /write the name of a namespace/,
  ],
  [
    'an empty host',
    ['bootstrap', '--xds-address', '127.0.0.1:1', '--node-id', 'a', '--hosts', 'x,'],
    /write hosts with a comma between them/,
  ],
  [
    'a host that can be none',
    ['bootstrap', '--xds-address', '127.0.0.1:1', '--node-id', 'a', '--hosts', 'x y'],
    /"x y" is not a host name/,
  ],
  [
    'a zone without a name',
    ['bootstrap', '--xds-address', '127.0.0.1:1', '--node-id', 'a', '--zone', ''],
    /write the name of a zone, or leave it out/,
  ],
  [
    'half of the servers that run already',
    ['demo', '--redis', '127.0.0.1:6379'],
    /^redpilot: --redis, --envoy and --envoy-admin are given together or not at all; see redpilot demo --help\n$/,
  ],
  [
    'some of the files of TLS',
    ['serve', '--config', SAMPLE, '--tls-ca', 'ca.crt', '--tls-key', 'tls.key'],
    /^redpilot: --tls-ca, --tls-cert and --tls-key are given together or not at all; .*see redpilot serve --help\n$/,
  ],
  [
    'a bootstrap with TLS on standard output',
    [...TLS_BOOTSTRAP, '--tls-ca', 'ca.crt', '--tls-cert', 'tls.crt', '--tls-key', 'tls.key'],
    /with TLS the bootstrap is three files: say where with --file/,
  ],
  ['an age that is no duration', ['serve', '--config', SAMPLE, '--max-connection-age', '30'], /example 30s/],
  ['an age of too little', ['serve', '--config', SAMPLE, '--max-connection-age', '9s'], /at least "10s"/],
  [
    'a namespace of certificates that can be none',
    ['certs', '--out', 'x', '--namespace', 'A'],
    /name of a names/,
  ],
  [
    'resources of no type',
    ['xds', 'get'],
    /^redpilot: required option '--type <type>' not specified; see redpilot xds get --help\n$/,
  ],
  [
    'an admin with TLS without certificates',
    ['serve', '--config', SAMPLE, '--admin-tls'],
    /--admin-tls needs --tls-ca/,
  ],
  ['an unknown log level', ['serve', '--config', SAMPLE, '--log-level', 'loud'], /Allowed choices are/],
];
for (const [what, args, stderr] of usage) {
  test(`${what} is a usage error: status 2`, async () => {
    const ended = await redpilot(args);
    assert.equal(ended.status, 2);
    assert.match(ended.stderr, stderr);
    assert.equal(ended.stdout, '');
  });
}

test('flags that npm kept to itself are missed by name', async () => {
  const ended = await redpilot(['demo', '20'], '', { npm_lifecycle_event: 'start' });
  assert.match(ended.stderr, /flags of the demo stand behind --, as in npm start -- --seconds 20\n$/);
});

test('--version and --help are fine', async () => {
  assert.match((await redpilot(['--version'])).stdout, /^\d+\.\d+\.\d+\n$/);
  const help = await redpilot(['--help']);
  assert.equal(help.status, 0);
  for (const command of ['serve', 'translate', 'validate', 'bootstrap', 'status', 'certs', 'demo']) {
    assert.ok(help.stdout.includes(command));
    assert.match((await redpilot([command, '--help'])).stdout, /--log-level/);
  }
});

test('every command says the version too, and its help shows defaults as they are written', async () => {
  for (const command of ['serve', 'translate', 'validate', 'bootstrap', 'status', 'certs', 'demo'])
    assert.match((await redpilot([command, '--version'])).stdout, /^\d+\.\d+\.\d+\n$/);
  const { stdout } = await redpilot(['serve', '--help']);
  assert.match(stdout, /\(default:\s+127\.0\.0\.1:18000\)/);
  assert.match(stdout, /\(default:\s+127\.0\.0\.1:19000\)/);
});

test('--log-level may stand before the command', async () => {
  const taken = ['serve', '--config', SAMPLE, '--xds-address', '0.0.0.0:0', '--admin-address', '127.0.0.1:0'];
  const quiet = await redpilot(['--log-level', 'silent', ...taken]);
  assert.match(quiet.stderr, /^redpilot: [^\n]*--insecure\n$/);
});

test('translate says why no EnvoyFilter comes of objects', async () => {
  const { status, stdout, stderr } = await redpilot(['translate', '--config', SAMPLE, '--to', 'istio']);
  assert.deepEqual({ status, stdout }, { status: 0, stdout: '' });
  assert.match(stderr, /^redpilot: no EnvoyFilter comes of these objects: .*the Services/m);
});

for (const [given, flag, to] of [
  [['--to', 'hosts', '-o', 'json'], '--output', 'hosts'],
  [['--to', 'istio', '--bind', 'auto'], '--bind', 'istio'],
  [['--istio-namespaces', 'shop'], '--istio-namespaces', 'envoy'],
  [['--to', 'hosts', '--show-secrets'], '--show-secrets', 'hosts'],
] as const)
  test(`translate refuses ${flag}, which has no effect with --to ${to}`, async () => {
    const { status, stdout, stderr } = await redpilot(['translate', '--config', SAMPLE, ...given]);
    assert.equal(status, 2);
    assert.equal(stdout, '');
    assert.match(stderr, new RegExp(`^redpilot: ${flag}: has no effect with --to ${to}; remove it; see `));
  });

for (const flag of ['--data-plane', '--port'])
  test(`demo refuses ${flag} for servers that run already`, async () => {
    const running = ['--redis', '127.0.0.1:1', '--proxy', '127.0.0.1:2', '--proxy-admin', '127.0.0.1:3'];
    const value = flag === '--port' ? '6379' : 'proxy';
    const { status, stderr } = await redpilot(['demo', ...running, flag, value]);
    assert.equal(status, 2);
    assert.match(stderr, new RegExp(`^redpilot: ${flag} is for servers that the demo starts; remove it, or`));
  });

test('xds get --nack wants words: without any it would be no refusal', async () => {
  const { status, stderr } = await redpilot(['xds', 'get', '--type', 'clusters', '--nack', '']);
  assert.equal(status, 2);
  assert.match(stderr, /--nack.*write the words of the refusal/);
});

test('bootstrap names its file as a shell takes it for one word', async (t) => {
  const folder = await temporaryFolder('bootstrap');
  t.after(() => removeFolder(folder));
  const file = join(folder, "app's envoy.json");
  const args = ['bootstrap', '--xds-address', '127.0.0.1:18000', '--node-id', 'a', '--file', file];
  const { stderr } = await redpilot(args);
  assert.ok(stderr.includes(`envoy --config-path '${folder}/app'\\''s envoy.json' --drain-time-s `), stderr);
});

test('bootstrap --file writes there, and names it in the command line to use', async (t) => {
  const folder = await temporaryFolder('bootstrap');
  t.after(() => removeFolder(folder));
  const file = join(folder, 'envoy.json');
  const args = ['bootstrap', '--xds-address', '127.0.0.1:18000', '--node-id', 'a'];
  const { stdout, stderr } = await redpilot([...args, '--file', file]);
  assert.equal(stdout, '');
  assert.equal(readFileSync(file, 'utf8'), (await redpilot(args)).stdout);
  assert.ok(stderr.includes(`envoy --config-path ${file} `), stderr);
  const refused = await redpilot([...args, '--file', join(folder, 'nowhere/envoy.json')]);
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /^redpilot: \S+ can't be written \(ENOENT\); give another with --file\n$/);
});

test('validate: status 0 and a note for the sample', async () => {
  const { status, stdout, stderr } = await redpilot(['validate', SAMPLE]);
  assert.equal(status, 0);
  assert.match(stdout, /note ModeAssumed/);
  assert.match(stderr, /1 object: 0 errors, 1 warning, 2 notes/);
});

test('validate --strict: status 1 where there is a warning', async () => {
  assert.equal((await redpilot(['validate', '--strict', SAMPLE])).status, 1);
});

test('validate: status 1 and a line with place and remedy for an error, from standard input too', async () => {
  const { status, stdout } = await redpilot(['validate', '-'], wrong);
  assert.equal(status, 1);
  assert.match(
    stdout,
    /^-:\d+:\d+: error InvalidValue: RedisService redis\/a: spec\.settings\.readPolicy: "REPLICAS" is not/,
  );
});

for (const call of [
  ['validate', '-'],
  ['translate', '--config', '-'],
]) {
  test(`${call[0]}: status 1 and a line where there is no object`, async () => {
    const { status, stdout, stderr } = await redpilot(call, 'kind: Deployment\napiVersion: apps/v1\n');
    assert.equal(status, 1);
    assert.match(stderr, /^redpilot: nothing found in standard input: no RedisService, .*\n$/);
    assert.equal(stdout, '');
  });
}

test('a path that is not there is one line and status 1', async () => {
  const { status, stderr } = await redpilot(['validate', 'nowhere']);
  assert.equal(status, 1);
  assert.equal(
    stderr,
    'redpilot: nowhere: there is no such file or folder; give the path of a YAML or JSON file, or of a folder of them\n',
  );
});

const forms: [form: string, first: RegExp][] = [
  ['plan', /^listeners:\n {2}- id: redis-cluster/],
  ['xds', /^clusters:\n/],
  ['envoy', /^static_resources:\n/],
];
for (const [form, first] of forms) {
  test(`translate --to ${form} writes YAML, and JSON where asked`, async () => {
    assert.match((await redpilot(['translate', '--config', SAMPLE, '--to', form])).stdout, first);
    const json = await redpilot(['translate', '--config', SAMPLE, '--to', form, '-o', 'json']);
    assert.equal(typeof JSON.parse(json.stdout), 'object');
  });
}

const SECRET = 'a-very-secret-word';
const closed = withPassword(SECRET);
for (const form of ['plan', 'xds', 'envoy']) {
  test(`translate --to ${form} shows passwords only under --show-secrets`, async () => {
    const hidden = await redpilot(['translate', '--config', '-', '--to', form], closed);
    assert.ok(!`${hidden.stdout}${hidden.stderr}`.includes(SECRET));
    assert.match(hidden.stdout, /\[redacted\]/);
    const shown = await redpilot(['translate', '--config', '-', '--to', form, '--show-secrets'], closed);
    assert.ok(shown.stdout.includes(SECRET));
  });
}

test('translate --envoy-version leaves out what that Envoy lacks, and says so', async () => {
  const object = documents(
    redisService({ name: 'three.localhost', annotations: { protocol: 'RESP3' } }),
  ).replace('name: three.localhost', 'name: three');
  const translate = ['translate', '--config', '-'];
  const newest = await redpilot(translate, object);
  assert.match(newest.stdout, /protocol_version: RESP3/);
  const older = await redpilot([...translate, '--envoy-version', '1.36'], object);
  assert.doesNotMatch(older.stdout, /protocol_version/);
  assert.match(
    older.stderr,
    /^-:\d+:\d+: warning UnsupportedByEnvoy: RedisService redis\/three: .*Envoy 1\.36 gets no RESP3/m,
  );
});

for (const form of ['envoy', 'istio'])
  test(`translate --to ${form} says that it does not know an Envoy so new, and goes on`, async () => {
    const args = ['translate', '--config', SAMPLE, '--to', form];
    const known = await redpilot([...args, '--envoy-version', '1.40.9']);
    const newer = await redpilot([...args, '--envoy-version', '9.99']);
    assert.match(newer.stderr, /warning UnsupportedByEnvoy: Envoy 9\.99 is newer than 1\.40, the newest/);
    assert.doesNotMatch(known.stderr, /newer/);
    assert.equal(newer.stdout, known.stdout);
    assert.equal(newer.status, known.status);
  });

test('bootstrap writes JSON on stdout, and how to run it on stderr', async () => {
  const { status, stdout, stderr } = await redpilot([
    'bootstrap',
    '--xds-address',
    '127.0.0.1:18000',
    '--node-id',
    'a/b',
    '--hosts',
    'x, y',
  ]);
  assert.equal(status, 0);
  const { node, admin } = JSON.parse(stdout) as {
    node: { id: string; metadata: unknown };
    admin: { address: { pipe: { path: string } } };
  };
  assert.deepEqual(node.metadata, { 'redpilot.drain': 30, 'redpilot.hosts': ['x', 'y'] });
  assert.match(admin.address.pipe.path, /redpilot-a_b\.sock$/);
  assert.match(stderr, /envoy --config-path FILE --drain-time-s 30 --drain-strategy gradual/);
  assert.doesNotMatch(stderr, /note:/);
});

test('bootstrap advises against a short drain', async () => {
  const { status, stderr } = await redpilot([
    'bootstrap',
    '--xds-address',
    '127.0.0.1:18000',
    '--node-id',
    'a',
    '--drain-seconds',
    '5',
  ]);
  assert.equal(status, 0);
  assert.match(stderr, /--drain-time-s 5 --drain-strategy gradual/);
  assert.match(stderr, /note: a drain of 5 s reconnects all clients within that time.*; 30 s or more/);
});

test('certs makes what serve and bootstrap take', async (t) => {
  const folder = await temporaryFolder('certs');
  t.after(() => removeFolder(folder));
  const names = ['--server-name', 'redpilot.redpilot.svc'];
  const made = await redpilot(['certs', '--out', folder, '--namespace', 'shop', ...names]);
  assert.equal(made.status, 0, made.stderr);
  assert.match(
    made.stdout,
    /clients\/shop: clients of namespace shop, as spiffe:\/\/cluster\.local\/ns\/shop\/sa\/redpilot\n/,
  );
  const [ca, cert, key] = ['ca.crt', 'tls.crt', 'tls.key'].map((name) => join(folder, 'clients/shop', name));
  const client = ['--tls-ca', ca ?? '', '--tls-cert', cert ?? '', '--tls-key', key ?? ''];
  const file = join(folder, 'envoy.json');
  const written = await redpilot([...TLS_BOOTSTRAP, ...client, '--file', file]);
  assert.equal(written.status, 0, written.stderr);
  const certificate = readFileSync(join(folder, 'envoy.certificate.json'), 'utf8');
  assert.ok(certificate.includes(`"filename": "${join(folder, 'clients/shop/tls.crt')}"`));
  assert.match(readFileSync(join(folder, 'envoy.authorities.json'), 'utf8'), /trusted_ca/);
  const again = await redpilot(['certs', '--out', folder, '--namespace', 'shop']);
  assert.equal(again.status, 1);
  assert.match(again.stderr, /clients\/shop: there is a certificate already; --force makes it anew\n$/);
  const renewed = await redpilot(['certs', '--out', folder, '--namespace', 'shop', '--force']);
  assert.match(renewed.stdout, /server: the server, as redpilot\.redpilot\.svc\n/);
});
