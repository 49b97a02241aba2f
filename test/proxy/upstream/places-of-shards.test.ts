import assert from 'node:assert/strict';
import { test } from 'node:test';

import { PlacesOfShards } from '../../../src/proxy/upstream/places-of-shards.ts';

const NOBODY = 0xffff;

type Ranges = readonly (readonly [shard: number, count: number])[];

/** Which shard has how many slots, one range after the other. */
function slots(ranges: Ranges): Uint16Array {
  return Uint16Array.from(ranges.flatMap(([shard, count]) => Array.from({ length: count }, () => shard)));
}

const HOUR_MS = 3_600_000;

/** What is told of one map after the other; `primaries`: of each map, by shard. */
function told(
  maps: readonly Ranges[],
  primaries: readonly (readonly string[])[] = [],
  apartMs = 0,
): readonly (readonly number[])[] {
  const places = new PlacesOfShards<string>(NOBODY);
  return maps.map((ranges, index) => {
    places.changed();
    return places.of(
      slots(ranges),
      (shard) => primaries[index]?.[shard] ?? `primary ${shard}`,
      index * apartMs,
    );
  });
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
    assert.deepEqual(told([ranges]), [wanted]);
  });
}

/** Two ranges of each, the second of shard 1 the longest. */
const BEFORE: Ranges = [
  [1, 3],
  [0, 4],
  [1, 4],
];
/** It has given away two slots of that. */
const SPLIT: Ranges = [
  [1, 3],
  [0, 4],
  [1, 1],
  [0, 2],
  [1, 1],
];

test('a shard that gives away slots of its longest range stays where it was', () => {
  assert.deepEqual(told([BEFORE, SPLIT]), [
    [3, 7],
    [3, 7],
  ]);
});

test('a shard that takes over a larger one stays where it was', () => {
  const after: Ranges = [
    [1, 7],
    [1, 4],
  ];
  assert.deepEqual(told([BEFORE, after]), [[3, 7], [7]]);
});

test("a shard whose place is another one's by now goes upwards", () => {
  const after: Ranges = [
    [1, 3],
    [0, 5],
    [1, 3],
  ];
  assert.deepEqual(told([BEFORE, after]), [
    [3, 7],
    [3, 8],
  ]);
});

test('a shard with another primary stays where it was, also where two change their addresses', () => {
  const names = [
    ['a', 'b'],
    ['a', 'c'],
    ['c', 'a'],
  ];
  assert.deepEqual(told([BEFORE, SPLIT, SPLIT], names), [
    [3, 7],
    [3, 7],
    [3, 7],
  ]);
});

test('a shard that is not to be seen for a moment stays where it was', () => {
  const merged: Ranges = [[0, 11]];
  assert.deepEqual(told([BEFORE, merged, SPLIT]), [[3, 7], [3], [3, 7]]);
});

test('long after a change the places are those that nothing but the slots tells', () => {
  assert.deepEqual(told([BEFORE, SPLIT, SPLIT], [], HOUR_MS), [
    [3, 7],
    [3, 7],
    [0, 3],
  ]);
});
