import assert from 'node:assert/strict';
import { test } from 'node:test';

import { NO_ANNOTATIONS } from '../plan/objects.ts';
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
      { prefix: 'b', removePrefix: true, host: 'b', port: 1, reads: undefined, mirrors: [] },
      { prefix: 'a', removePrefix: false, host: 'a', port: undefined, reads: undefined, mirrors: [] },
      { prefix: '', removePrefix: false, host: 'c', port: undefined, reads: undefined, mirrors: [] },
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

test('settings are read as they are written', () => {
  const { caseInsensitive, enableHashtagging, enableCommandStats, batching, maxUpstreamUnknownConnections } =
    parsed(
      'RedisService',
      service({
        caseInsensitive: true,
        enableHashtagging: true,
        enableCommandStats: true,
        maxBufferSizeBeforeFlush: 1024,
        bufferFlushTimeout: '5ms',
        maxUpstreamUnknownConnections: 0,
      }),
    );
  assert.deepEqual(
    { caseInsensitive, enableHashtagging, enableCommandStats, batching, maxUpstreamUnknownConnections },
    {
      caseInsensitive: true,
      enableHashtagging: true,
      enableCommandStats: true,
      batching: { bytes: 1024, flushAfterMs: 5 },
      maxUpstreamUnknownConnections: 0,
    },
  );
});

test('a size without a time is flushed after 3 ms, and a size of 0 gathers nothing', () => {
  const batching = (settings: object): unknown => parsed('RedisService', service(settings)).batching;
  assert.deepEqual(batching({ maxBufferSizeBeforeFlush: 1024 }), { bytes: 1024, flushAfterMs: 3 });
  assert.equal(batching({ maxBufferSizeBeforeFlush: 0 }), undefined);
});

test('a route may name replicas and mirrors', () => {
  const { rules } = parsed(
    'RedisService',
    service({}, [
      {
        route: { host: 'a', port: 1, reads: { host: 'r', port: 2 } },
        mirror: [
          { route: { host: 'm', port: 3 }, percentage: { value: 12.5 }, excludeReadCommands: true },
          { route: { host: 'n' } },
        ],
      },
    ]),
  );
  assert.deepEqual(rules, [
    {
      prefix: '',
      removePrefix: false,
      host: 'a',
      port: 1,
      reads: { host: 'r', port: 2 },
      mirrors: [
        { host: 'm', port: 3, percentage: 12.5, excludeReadCommands: true },
        { host: 'n', port: undefined, percentage: 100, excludeReadCommands: false },
      ],
    },
  ]);
});

test('a fault is a delay where no type is given, and strikes all commands where none is named', () => {
  const { faults } = parsed('RedisService', {
    spec: {
      host: ['a'],
      faults: [
        { delay: '1s', percentage: { value: 50 } },
        { type: 'ERROR', percentage: { value: 0.0001 }, commands: ['GET', 'set', 'bf.ADD'] },
        { type: 1, percentage: { value: 0 }, delay: '5ms', commands: ['mget'] },
      ],
    },
  });
  assert.deepEqual(faults, [
    { type: 'DELAY', percentage: 50, delayMs: 1_000, commands: [] },
    { type: 'ERROR', percentage: 0.0001, delayMs: undefined, commands: ['get', 'set', 'bf.add'] },
    { type: 'ERROR', percentage: 0, delayMs: 5, commands: ['mget'] },
  ]);
});

const annotated = (annotations: Readonly<Record<string, string>>): object => ({
  metadata: {
    name: 'a',
    namespace: 'ns',
    annotations: Object.fromEntries(
      Object.entries(annotations).map(([name, value]) => [`redpilot.dev/${name}`, value]),
    ),
  },
  spec: { host: ['a'] },
});

const annotations: [text: Readonly<Record<string, string>>, read: object][] = [
  [{}, {}],
  [{ listen: '127.0.0.2:6379' }, { listen: [{ of: undefined, address: '127.0.0.2', port: 6379 }] }],
  [{ listen: '[::1]:1' }, { listen: [{ of: undefined, address: '::1', port: 1 }] }],
  [
    { listen: 'a=127.0.0.2:1, b.c:7=[::1]:2' },
    {
      listen: [
        { of: { host: 'a', port: undefined }, address: '127.0.0.2', port: 1 },
        { of: { host: 'b.c', port: 7 }, address: '::1', port: 2 },
      ],
    },
  ],
  [{ 'export-to': '*' }, { exportTo: ['*'] }],
  [{ 'export-to': 'shop, .' }, { exportTo: ['.', 'shop'] }],
  [{ protocol: 'RESP3' }, { protocol: 'RESP3' }],
  [{ 'zone-affinity': 'true' }, { zoneAffinity: true }],
  [{ guards: 'off' }, { guards: false }],
  [{ guards: 'on' }, {}],
  [{ 'istio-namespaces': 'b, a' }, { istioNamespaces: ['a', 'b'] }],
  [{ 'istio-namespaces': '*' }, { istioNamespaces: ['*'] }],
  [{ 'istio-secrets': 'file' }, { istioSecrets: 'file' }],
  [{ 'istio-port-wide': 'true' }, { istioPortWide: true }],
];
for (const [text, read] of annotations) {
  test(`annotations ${JSON.stringify(text)} are read`, () => {
    assert.deepEqual(parsed('RedisService', annotated(text)).annotations, { ...NO_ANNOTATIONS, ...read });
  });
}

test('empty lists are no mistakes', () => {
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
