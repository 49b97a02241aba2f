import assert from 'node:assert/strict';
import { test } from 'node:test';

import { conditionsOf, sameConditions } from '../../src/status/conditions.ts';
import { StatusWriter } from '../../src/status/writer.ts';

const NOW = '2026-11-27T12:00:00Z';
const THEN = '2026-11-26T12:00:00Z';

test('what somebody wrote into the status that is no condition costs nobody else theirs', () => {
  const writer = new StatusWriter({
    api: { request: async () => undefined },
    mayWrite: () => true,
    onFailure: assert.fail,
    onWritten: () => {},
    log: { warn: assert.fail },
  });
  const good = { type: 'Accepted', status: 'True', reason: 'Accepted', message: '', observedGeneration: 1 };
  const conditions = [
    null,
    'Accepted',
    { type: 'ResolvedRefs', status: 'True' },
    { ...good, type: 'Programmed', lastTransitionTime: 'yesterday' },
    { ...good, lastTransitionTime: THEN },
  ];
  const known = { kind: 'RedisService', namespace: 'redis', name: 'cache', uid: '1', generation: 2 } as const;
  const object = { ...known, status: { conditions }, isLastGood: false, object: undefined };
  const before = writer.current(object);
  const progress = { isServed: true, isPending: false, rejections: [] };
  const after = conditionsOf({ ...known, diagnostics: [], progress }, before, NOW);
  assert.deepEqual(
    after.map(({ type, lastTransitionTime }) => [type, lastTransitionTime]),
    [
      ['Accepted', THEN],
      ['ResolvedRefs', NOW],
      ['Programmed', NOW],
    ],
  );
  assert.ok(!sameConditions(before, after));
  for (const status of [undefined, null, 'fine', { conditions: {} }, { conditions: [[]] }])
    assert.deepEqual(writer.current({ ...object, uid: '2', status }), []);
});
