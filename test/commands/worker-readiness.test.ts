import assert from 'node:assert/strict';
import { test } from 'node:test';

import { workersNotReady } from '../../src/commands/worker-readiness.ts';

test('workers that are ready have no problem', () => {
  const ready = { notReady: undefined };
  assert.equal(
    workersNotReady(
      2,
      new Map([
        [1, ready],
        [2, ready],
      ]),
    ),
    undefined,
  );
});

test('what several workers are not ready for is told of each', () => {
  const reports = new Map([
    [1, { notReady: 'no plan yet' }],
    [2, { notReady: 'the topology is not known yet' }],
    [4, { notReady: 'no plan yet' }],
  ]);
  assert.equal(
    workersNotReady(4, reports),
    'workers 1, 4: no plan yet; worker 2: the topology is not known yet; worker 3: does not answer',
  );
});

test('what all workers are not ready for is told once', () => {
  const report = { notReady: 'no plan yet' };
  assert.equal(
    workersNotReady(
      2,
      new Map([
        [1, report],
        [2, report],
      ]),
    ),
    'all workers: no plan yet',
  );
});
