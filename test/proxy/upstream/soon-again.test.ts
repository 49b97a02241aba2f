import assert from 'node:assert/strict';
import { test } from 'node:test';

import { eventually } from '../../../src/demo/eventually.ts';
import { SoonAgain } from '../../../src/proxy/upstream/soon-again.ts';

test('what takes long is done again less often', async () => {
  const LONG_MS = 5;
  const at: number[] = [];
  const again = new SoonAgain(() => {
    const now = performance.now();
    at.push(now);
    while (performance.now() < now + LONG_MS);
    if (at.length < 6) again.ask();
  });
  again.ask();
  // It keeps nothing alive by itself.
  await eventually('six times', () => at.length === 6 || undefined);
  // The first two come before it is known how long it takes.
  const between = at.slice(2).map((time, index) => time - at[index + 1]!);
  assert.ok(
    between.every((ms) => ms > 8 * LONG_MS),
    String(between),
  );
});
