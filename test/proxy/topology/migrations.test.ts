import assert from 'node:assert/strict';
import { test } from 'node:test';

import { haveSlotsMoved } from '../../../src/proxy/topology/migrations.ts';
import type { Shard } from '../../../src/proxy/topology/shard.ts';

/** Of two slots, whose each is. */
function mapOf(first: string, second: string): Parameters<typeof haveSlotsMoved>[0] {
  const primaries = [...new Set([first, second])];
  const shards = primaries.map((primary) => ({ primary }) as unknown as Shard);
  return { shards, slots: Uint16Array.of(primaries.indexOf(first), primaries.indexOf(second)) };
}

for (const [what, before, now, wanted] of [
  ['stays', mapOf('a', 'b'), mapOf('a', 'b'), false],
  ['is told in another order', mapOf('a', 'b'), { ...mapOf('b', 'a'), slots: Uint16Array.of(1, 0) }, false],
  ['has its slots changed', mapOf('a', 'b'), mapOf('b', 'a'), true],
  ['has a new primary for one that failed', mapOf('a', 'b'), mapOf('c', 'b'), false],
  ['has a primary that took over for one that is gone', mapOf('a', 'b'), mapOf('b', 'b'), false],
] as const) {
  test(`in a cluster that ${what} slots have ${wanted ? '' : 'not '}moved`, () => {
    assert.equal(haveSlotsMoved(before, now), wanted);
  });
}
