import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { ApiRequest } from '../../src/sources/kubernetes/api-server.ts';
import { conditionsOf, sameConditions, type Condition } from '../../src/status/conditions.ts';
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

const ACCEPTED: Condition = {
  type: 'Accepted',
  status: 'True',
  reason: 'Accepted',
  message: 'fine',
  observedGeneration: 2,
  lastTransitionTime: NOW,
};
const OF_OTHERS: Condition = { ...ACCEPTED, type: 'BackedUp' };

/** What is sent to have that written over what stands there. */
async function sent(there: readonly Condition[], wanted: readonly Condition[]): Promise<readonly unknown[]> {
  const bodies: unknown[] = [];
  const metadata = { uid: '1', resourceVersion: '7' };
  await new Promise<void>((resolve) => {
    const writer = new StatusWriter({
      api: {
        request: async (_path: string, { body }: ApiRequest) => {
          bodies.push(body);
          return { metadata, status: { conditions: there } };
        },
      },
      mayWrite: () => true,
      onFailure: assert.fail,
      onWritten: () => resolve(),
      log: { warn: assert.fail },
    });
    const known = {
      kind: 'RedisService',
      namespace: 'redis',
      name: 'cache',
      uid: '1',
      generation: 2,
    } as const;
    const status = { conditions: there };
    writer.write({ ...known, status, isLastGood: false, object: undefined }, wanted);
    if (bodies.length === 0) resolve();
  });
  return bodies;
}

test('conditions of others are left alone, and cause no write', async () => {
  assert.deepEqual(await sent([OF_OTHERS, ACCEPTED], [ACCEPTED]), []);
  const [applied, ...more] = await sent([OF_OTHERS, ACCEPTED], [{ ...ACCEPTED, message: 'finer' }]);
  assert.doesNotMatch(JSON.stringify(applied), /BackedUp/);
  assert.deepEqual(more, []);
});

test('a condition of ours that somebody else has written too goes when it is true no longer', async () => {
  const conflicted = { ...ACCEPTED, type: 'Conflicted' };
  const [, withdrawn] = await sent([OF_OTHERS, ACCEPTED, conflicted], [ACCEPTED]);
  assert.deepEqual(withdrawn, {
    metadata: { uid: '1', resourceVersion: '7' },
    status: { conditions: [OF_OTHERS, ACCEPTED] },
  });
});
