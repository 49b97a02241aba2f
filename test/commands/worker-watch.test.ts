import assert from 'node:assert/strict';
import { test } from 'node:test';

import { WorkerWatch } from '../../src/commands/worker-watch.ts';

test('a worker is given up after so many questions without an answer, but for those while it starts', (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  let asked = 0;
  let hung = 0;
  const watch = new WorkerWatch(
    { everyMs: 10, questions: 3 },
    () => (asked += 1),
    () => (hung += 1),
  );
  t.after(() => watch.end());
  t.mock.timers.tick(1_000);
  assert.deepEqual([asked, hung], [100, 0]);
  watch.answered();
  t.mock.timers.tick(30);
  watch.answered();
  t.mock.timers.tick(30);
  assert.equal(hung, 0);
  t.mock.timers.tick(1_000);
  assert.deepEqual([asked, hung], [106, 1]);
});
