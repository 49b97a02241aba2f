import assert from 'node:assert/strict';
import { test } from 'node:test';

import { pauseMs } from '../../../src/proxy/upstream/pause.ts';

for (const [what, sinceMs, untilMs, least, most] of [
  ['is short at first', 0, Infinity, 20, 20],
  ['is a tenth of what has been waited', 10_000, Infinity, 1_000, 1_100],
  ['ends when nobody waits any more', 10_000, 100, 99, 102],
  ['is there where nobody waits any more', 10_000, -100, 1, 1],
] as const) {
  test(`the pause before something is tried again ${what}`, () => {
    const now = performance.now();
    const pause = pauseMs(now - sinceMs, now + untilMs);
    assert.ok(pause >= least && pause <= most, `${pause} ms`);
  });
}
