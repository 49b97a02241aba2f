import assert from 'node:assert/strict';
import { test } from 'node:test';

import { parsed, said } from './parsing.ts';

const service = (settings: object = {}, redis?: unknown): object => ({
  spec: { host: ['a.example.com'], settings, ...(redis === undefined ? {} : { redis }) },
});

test('what is left out has its default', () => {
  const { hosts, readPolicy, opTimeoutMs, enableRedirection, auth, rules, createdMs } = parsed(
    'RedisService',
    {
      spec: { host: ['a.example.com', 'b'] },
    },
  );
  assert.deepEqual(
    { hosts, readPolicy, opTimeoutMs, enableRedirection, auth, rules, createdMs },
    {
      hosts: ['a.example.com', 'b'],
      readPolicy: 'MASTER',
      opTimeoutMs: 5_000,
      enableRedirection: undefined,
      auth: undefined,
      rules: [],
      createdMs: Number.POSITIVE_INFINITY,
    },
  );
});

test('null is the same as left out', () => {
  const { readPolicy, opTimeoutMs, enableRedirection, rules } = parsed('RedisService', {
    spec: {
      host: ['a.example.com'],
      settings: {
        readPolicy: null,
        opTimeout: null,
        enableRedirection: null,
        auth: null,
        caseInsensitive: null,
      },
      redis: null,
      faults: null,
    },
  });
  assert.deepEqual(
    { readPolicy, opTimeoutMs, enableRedirection, rules },
    {
      readPolicy: 'MASTER',
      opTimeoutMs: 5_000,
      enableRedirection: undefined,
      rules: [],
    },
  );
});

for (const [index, policy] of ['MASTER', 'PREFER_MASTER', 'REPLICA', 'PREFER_REPLICA', 'ANY'].entries()) {
  test(`the read policy ${policy} may be written as ${index}`, () => {
    assert.equal(parsed('RedisService', service({ readPolicy: policy })).readPolicy, policy);
    assert.equal(parsed('RedisService', service({ readPolicy: index })).readPolicy, policy);
  });
}

for (const value of [-1, 1.5, 5, '2', true, {}]) {
  test(`the read policy ${JSON.stringify(value)} is refused`, () => {
    assert.match(
      said('RedisService', service({ readPolicy: value }))[0] ?? '',
      /is not a read policy; write one of MASTER,/,
    );
  });
}

test('rules keep their order, and a rule without match, with an empty one or an empty prefix is the catch-all', () => {
  for (const match of [undefined, null, {}, { key: {} }, { key: { prefix: '' } }]) {
    const { rules } = parsed(
      'RedisService',
      service({}, [
        { match: { key: { prefix: 'b', removePrefix: true } }, route: { host: 'b', port: 1 } },
        { match: { key: { prefix: 'a' } }, route: { host: 'a' } },
        { match, route: { host: 'c' } },
      ]),
    );
    assert.deepEqual(rules, [
      { prefix: 'b', removePrefix: true, host: 'b', port: 1 },
      { prefix: 'a', removePrefix: false, host: 'a', port: undefined },
      { prefix: '', removePrefix: false, host: 'c', port: undefined },
    ]);
  }
});

test('a prefix of 1000 bytes is the longest', () => {
  const ofBytes = (prefix: string): readonly string[] =>
    said(
      'RedisService',
      service({}, [{ match: { key: { prefix } }, route: { host: 'a' } }, { route: { host: 'a' } }]),
    );
  assert.deepEqual(ofBytes('é'.repeat(500)), []);
  assert.deepEqual(ofBytes('é'.repeat(501)), [
    'error InvalidValue: spec.redis[0].match.key.prefix: has 1002 bytes; write at most 1000',
  ]);
});

test('values of a password are trimmed, and shown nowhere', () => {
  const { auth } = parsed(
    'RedisService',
    service({ auth: { plain: { username: ' u ', password: ' hidden\n' } } }),
  );
  assert.ok(auth?.kind === 'plain');
  assert.equal(auth.password.reveal(), 'hidden');
  assert.equal(auth.username, 'u');
  assert.doesNotMatch(JSON.stringify(auth), /hidden/);
});

test('a reference to a Secret keeps the names of its fields', () => {
  const secret = { name: 's', passwordField: 'p', usernameField: '' };
  assert.deepEqual(parsed('RedisService', service({ auth: { secret } })).auth, {
    kind: 'secret',
    name: 's',
    passwordField: 'p',
    usernameField: undefined,
  });
});

const hidden = 'never-to-be-shown';
const passwords: [where: string, auth: unknown][] = [
  ['in the place of auth', hidden],
  ['in the place of plain', { plain: hidden }],
  ['in the place of secret', { secret: hidden }],
  ['in a list', { plain: [hidden] }],
  ['beside plain', { password: hidden }],
  ['as the only item of password', { plain: { password: [hidden] } }],
  ['below password', { plain: { password: { value: hidden } } }],
  ['in a misspelt field', { plain: { pasword: hidden } }],
  ['beside a reference', { plain: { password: hidden }, secret: { name: 's' } }],
  ['in a reference', { secret: { name: 's', password: hidden } }],
];

for (const [where, auth] of passwords) {
  test(`a password ${where} is a mistake whose message does not show it`, () => {
    const lines = said('RedisService', service({ auth }));
    assert.ok(lines.length > 0);
    assert.doesNotMatch(lines.join('\n'), /never-to-be-shown/);
  });
}

const defaults: [field: string, value: unknown][] = [
  ['caseInsensitive', false],
  ['enableHashtagging', false],
  ['enableCommandStats', false],
];

for (const [field, value] of defaults) {
  test(`${field}: ${String(value)} is what happens anyway, and no mistake`, () => {
    assert.deepEqual(said('RedisService', service({ [field]: value })), []);
  });
}

const refused: [where: string, fields: object][] = [
  ['spec.settings.caseInsensitive', service({ caseInsensitive: true })],
  ['spec.settings.enableHashtagging', service({ enableHashtagging: true })],
  ['spec.settings.enableCommandStats', service({ enableCommandStats: true })],
  ['spec.settings.maxBufferSizeBeforeFlush', service({ maxBufferSizeBeforeFlush: 1024 })],
  ['spec.settings.bufferFlushTimeout', service({ bufferFlushTimeout: '3ms' })],
  ['spec.settings.maxUpstreamUnknownConnections', service({ maxUpstreamUnknownConnections: 100 })],
  ['spec.redis[0].mirror', service({}, [{ route: { host: 'a' }, mirror: [{ route: { host: 'b' } }] }])],
  ['spec.redis[0].route.reads', service({}, [{ route: { host: 'a', reads: { host: 'b' } } }])],
  ['spec.faults', { spec: { host: ['a'], faults: [{ type: 'DELAY', delay: '1s' }] } }],
  [
    'metadata.annotations["redpilot.dev/listen"]',
    {
      metadata: { name: 'a', namespace: 'ns', annotations: { 'redpilot.dev/listen': 'x' } },
      spec: { host: ['a'] },
    },
  ],
];

for (const [where, fields] of refused) {
  test(`${where} is refused and not ignored`, () => {
    assert.deepEqual(said('RedisService', fields), [
      `error InvalidValue: ${where}: is not carried out by this version of redpilot; remove it`,
    ]);
  });
}

test('empty lists of what is not carried out are no mistakes', () => {
  const spec = { host: ['a'], faults: [], redis: [{ route: { host: 'a' }, mirror: [] }] };
  assert.deepEqual(said('RedisService', { spec }), []);
});

test('redirections that are not followed are a warning with every policy but MASTER', () => {
  const reasons = (readPolicy: string): readonly string[] =>
    said('RedisService', service({ readPolicy, enableRedirection: false })).map(
      (line) => line.split(':')[0] ?? '',
    );
  assert.deepEqual(reasons('MASTER'), []);
  for (const policy of ['PREFER_MASTER', 'REPLICA', 'PREFER_REPLICA', 'ANY']) {
    assert.deepEqual(reasons(policy), ['warning WritesAsReads']);
  }
});
