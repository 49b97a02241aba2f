import assert from 'node:assert/strict';
import { test } from 'node:test';

import { formatDiagnosticLine } from '../../src/api/diagnostic.ts';
import { parseObject } from '../../src/api/parse.ts';
import { document } from './parsing.ts';

const passedOver: [apiVersion: string, kind: string][] = [
  ['apps/v1', 'Deployment'],
  ['v1', 'ConfigMap'],
  ['v2', 'Service'],
  ['serving.knative.dev/v1', 'Service'],
  ['discovery.k8s.io/v1beta1', 'EndpointSlice'],
  ['example.com/v1', 'constructor'],
];

for (const [apiVersion, kind] of passedOver) {
  test(`${kind} of ${apiVersion} is passed over, whatever it holds`, () => {
    assert.deepEqual(
      parseObject({ apiVersion, kind, spec: 7 }, () => undefined),
      { kind: 'passed-over' },
    );
  });
}

const refused: [what: string, value: unknown, lines: number][] = [
  ['a text', 'abc', 1],
  ['a list', [], 1],
  ['nothing', null, 1],
  ['an empty map', {}, 2],
  ['another version of our group', { apiVersion: 'redis.aeraki.io/v1', kind: 'RedisService' }, 1],
  ['an unknown kind of our group', { apiVersion: 'redis.aeraki.io/v1alpha1', kind: 'RedisServices' }, 1],
  ['our kind in another group', { apiVersion: 'redis.aeraki.net/v1alpha1', kind: 'RedisService' }, 1],
];

for (const [what, value, lines] of refused) {
  test(`${what} is refused`, () => {
    const outcome = parseObject(value, () => undefined);
    assert.ok(outcome.kind === 'refused');
    assert.equal(outcome.object, undefined);
    assert.equal(outcome.diagnostics.length, lines);
  });
}

test('an object that is refused says which one it is', () => {
  const outcome = parseObject(document('RedisService', { spec: {} }), () => undefined);
  assert.ok(outcome.kind === 'refused');
  assert.deepEqual(outcome.object, { kind: 'RedisService', namespace: 'ns', name: 'a' });
});

for (const namespace of [undefined, null, '']) {
  test(`the namespace ${JSON.stringify(namespace)} is default`, () => {
    const metadata = { name: 'a', namespace };
    const outcome = parseObject(document('Service', { metadata }), () => undefined);
    assert.equal(outcome.kind === 'object' && outcome.object.namespace, 'default');
  });
}

const names: [field: 'name' | 'namespace', value: string, isLegal: boolean][] = [
  ['name', 'a', true],
  ['name', 'a-1.b', true],
  ['name', 'x'.repeat(253), true],
  ['name', 'x'.repeat(254), false],
  ['name', 'A', false],
  ['name', 'a_b', false],
  ['name', '-a', false],
  ['name', 'a.', false],
  ['namespace', 'x'.repeat(63), true],
  ['namespace', 'x'.repeat(64), false],
  ['namespace', 'a.b', false],
  ['namespace', 'a/b', false],
];

for (const [field, value, isLegal] of names) {
  test(`"${value.slice(0, 20)}" (${value.length}) is a ${isLegal ? 'legal' : 'wrong'} ${field}`, () => {
    const metadata = { name: 'a', namespace: 'ns', [field]: value };
    const outcome = parseObject(document('Service', { metadata }), () => undefined);
    assert.equal(outcome.kind, isLegal ? 'object' : 'refused');
  });
}

test('each problem is told at the place of its field', () => {
  const asked: string[] = [];
  const spec = { host: [7, 'a b'], settings: { readPolicy: 'X', opTimeout: 5 }, redis: [{}] };
  const outcome = parseObject(document('RedisService', { spec }), (path) => {
    asked.push(path.join('.'));
    return { file: 'f', line: asked.length, column: 1 };
  });
  assert.ok(outcome.kind === 'refused');
  const expected = [
    'spec.host.0',
    'spec.host.1',
    'spec.settings.readPolicy',
    'spec.settings.opTimeout',
    'spec.redis.0.route',
  ];
  assert.deepEqual(asked.toSorted(), expected.toSorted());
  assert.equal(outcome.diagnostics.length, 5);
});

test('a line stays one line, and holds nothing that a terminal would obey', () => {
  const line = formatDiagnosticLine({
    severity: 'error',
    reason: 'InvalidValue',
    path: ['spec', 'a\nb'],
    message: 'first\nsecond \u001b[31mred\u001b[0m \u202etxt\u00a0',
  });
  assert.equal(
    line,
    'error InvalidValue: spec["a\\nb"]: first\\nsecond \\u{1b}[31mred\\u{1b}[0m \\u{202e}txt\\u{a0}',
  );
});
