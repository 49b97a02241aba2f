import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Condition } from '../../src/status/conditions.ts';
import { Events, noticesOf } from '../../src/status/events.ts';

function conditions(text: string): readonly Condition[] {
  return text
    .split(' ')
    .filter((word) => word !== '')
    .map((word) => {
      const [type = '', status = '', reason = type] = word.split(/[=/]/);
      const time = { observedGeneration: 1, lastTransitionTime: 'then' };
      return { type, status: status as Condition['status'], reason, message: `${reason}!`, ...time };
    });
}

const GOOD = 'Accepted=True ResolvedRefs=True Programmed=True';

const cases: readonly [before: string, after: string, told: string][] = [
  ['', GOOD, ''],
  [GOOD, 'Accepted=True ResolvedRefs=True Programmed=False/Rejected', 'Warning Rejected'],
  ['Accepted=True Programmed=False/Rejected', 'Accepted=True Programmed=False/Rejected', ''],
  ['Accepted=True Programmed=False/Rejected', GOOD, 'Normal Programmed'],
  ['Accepted=True Programmed=Unknown/Pending', GOOD, ''],
  [
    GOOD,
    'Accepted=False/InvalidValue ResolvedRefs=True Programmed=False/LastGoodKept',
    'Warning InvalidValue, Warning LastGoodKept',
  ],
  ['', 'Accepted=True ResolvedRefs=False/HostNotFound Programmed=False/HostNotFound', 'Warning HostNotFound'],
  [
    'Accepted=True ResolvedRefs=False/HostNotFound',
    'Accepted=True ResolvedRefs=False/SecretNotFound',
    'Warning SecretNotFound',
  ],
];

for (const [before, after, told] of cases) {
  test(`from "${before}" to "${after}": ${told === '' ? 'nothing' : told} is told`, () => {
    const notices = noticesOf(conditions(before), conditions(after));
    assert.equal(notices.map(({ type, reason }) => `${type} ${reason}`).join(', '), told);
  });
}

test('an event of an object of the longest name, and of a long note, is one that the API server takes', async () => {
  const bodies: { readonly metadata: { readonly name: string }; readonly note: string }[] = [];
  const api = {
    request: async (_: string, { body }: { body?: unknown } = {}) => void bodies.push(body as never),
  };
  const events = new Events({ api, identity: 'redpilot-7f9c-0123ab', log: { warn: assert.fail } });
  const known = {
    kind: 'RedisService',
    namespace: 'redis',
    uid: '1',
    generation: 1,
    status: undefined,
  } as const;
  const object = { ...known, isLastGood: false, object: undefined };
  const name = `${'a'.repeat(229)}.${'b'.repeat(23)}`;
  await events.tell({ ...object, name }, [
    { type: 'Warning', reason: 'InvalidValue', note: `x${'\u00e4'.repeat(1_000)}` },
  ]);
  await events.tell({ ...object, uid: '2', name: 'cache' }, [
    { type: 'Warning', reason: 'InvalidValue', note: 'short' },
  ]);
  const [long, short] = bodies;
  assert.equal(long?.metadata.name, `${'a'.repeat(229)}.redpilot-7f9c-0123ab-1`);
  assert.equal(long?.note, `x${'\u00e4'.repeat(511)}`);
  assert.deepEqual([short?.metadata.name, short?.note], ['cache.redpilot-7f9c-0123ab-2', 'short']);
});
