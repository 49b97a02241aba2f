import assert from 'node:assert/strict';
import { test } from 'node:test';

import { placesOfShards } from '../../../src/proxy/upstream/places-of-shards.ts';

const NOBODY = 0xffff;

/** Which shard has how many slots, one range after the other. */
function slots(...ranges: readonly (readonly [shard: number, count: number])[]): Uint16Array {
  return Uint16Array.from(ranges.flatMap(([shard, count]) => Array.from({ length: count }, () => shard)));
}

for (const [what, ranges, wanted] of [
  [
    'the first slot of each',
    [
      [0, 3],
      [1, 3],
    ],
    [0, 3],
  ],
  [
    'that of the longest range',
    [
      [1, 2],
      [0, 3],
      [1, 4],
    ],
    [2, 5],
  ],
  // As when one of three takes over the slots of the first: a scan that has come to the second must still find it.
  [
    'of ranges as long that of the last',
    [
      [2, 3],
      [1, 4],
      [2, 3],
    ],
    [3, 7],
  ],
  [
    'none of what nobody has',
    [
      [NOBODY, 5],
      [0, 2],
    ],
    [5],
  ],
] as const) {
  test(`the places of shards are ${what}`, () => {
    assert.deepEqual(placesOfShards(slots(...ranges), NOBODY), wanted);
  });
}
