import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Condition } from '../../src/status/conditions.ts';
import { noticesOf } from '../../src/status/events.ts';

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
