/**
 * Thousands of schedules of clients, nodes and connections, without a network and in a time of their own: each is the same
 * whenever it is run. REDPILOT_SEED=N begins at another one, REDPILOT_SCHEDULES=N runs more of them.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { carriedThrough, scheduleOf, type Schedule } from './order-model/schedule.ts';

const SCHEDULES = 4_000;

test('the commands of a client are carried out in its order, whatever nodes say in whichever order', () => {
  const first = Number(process.env['REDPILOT_SEED'] ?? 1);
  const count = Number(process.env['REDPILOT_SCHEDULES'] ?? SCHEDULES);
  for (let seed = first; seed < first + count; seed++) {
    const schedule = scheduleOf(seed);
    if (carriedThrough(schedule).violations.length === 0) continue;
    const { violations, trace } = carriedThrough(shortened(schedule), true);
    assert.fail(`seed ${seed}:\n${[...violations, ...trace].join('\n')}`);
  }
});

/** Without whatever is not needed to fail. */
function shortened(schedule: Schedule): Schedule {
  let shortest = schedule;
  for (let index = schedule.length - 1; index >= 1; index--) {
    const without = shortest.toSpliced(index, 1);
    if (carriedThrough(without).violations.length > 0) shortest = without;
  }
  return shortest;
}
