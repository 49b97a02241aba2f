import assert from 'node:assert/strict';
import { test } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { watchRead } from '../../src/tls/watch.ts';

test('what was read and could not be put in force is told, and tried again', async (t) => {
  let isTaken = false;
  const inForce: string[] = [];
  const problems: string[] = [];
  const end = watchRead(
    async () => 'new',
    'old',
    (a, b) => a === b,
    {
      everyMs: 5,
      onChange: (read) => {
        if (!isTaken) throw new Error('it is not taken');
        inForce.push(read);
      },
      onProblem: (problem) => problems.push(problem),
    },
  );
  t.after(end);
  await eventually('the problem', () => (problems.length > 0 ? true : undefined));
  isTaken = true;
  await eventually('the new one', () => (inForce.length > 0 ? true : undefined));
  assert.deepEqual([problems, inForce], [['it is not taken'], ['new']]);
});
