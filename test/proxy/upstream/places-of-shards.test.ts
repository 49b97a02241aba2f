import assert from 'node:assert/strict';
import { test } from 'node:test';

import { placesOfShards } from '../../../src/proxy/upstream/places-of-shards.ts';

const NOBODY = 0xffff;

type Ranges = readonly (readonly [shard: number, count: number])[];

/** `ranges`: which shard has how many slots, one range after the other. */
function placesOf(ranges: Ranges): readonly number[] {
  const slots = ranges.flatMap(([shard, count]) => Array.from({ length: count }, () => shard));
  return placesOfShards(Uint16Array.from(slots), NOBODY);
}

/** A whole range each time. */
const BEFORE: Ranges = [
  [0, 100],
  [1, 100],
  [0, 100],
  [1, 100],
];

for (const [what, ranges, wanted] of [
  ['the last slot of each', BEFORE, [299, 399]],
  [
    'none of what nobody has',
    [
      [0, 100],
      [NOBODY, 100],
    ],
    [99],
  ],
  [
    'where they were while single slots come and go',
    [
      [0, 100],
      [1, 100],
      [0, 100],
      [1, 40],
      [0, 1],
      [1, 59],
    ],
    [299, 399],
  ],
  [
    'further on where many are got, and where it was of who gives the first ones away',
    [
      [0, 100],
      [1, 100],
      [0, 170],
      [1, 30],
    ],
    [369, 399],
  ],
  // As when one of three takes over all of another: a scan that has come to the second must still find it.
  [
    'where it was of who takes over more than it had',
    [
      [2, 200],
      [1, 100],
      [2, 50],
    ],
    [299, 349],
  ],
  [
    'those of a few slots where there are no others',
    [
      [0, 3],
      [1, 2],
      [0, 1],
    ],
    [4, 5],
  ],
] as const) {
  test(`the places of shards are ${what}`, () => {
    assert.deepEqual(placesOf(ranges), wanted);
  });
}
