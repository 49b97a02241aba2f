import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Verdict, type Look } from '../../src/demo/verdict.ts';

const SETTLE_MS = 4_000;

/** A look every 200 ms: the policy in Envoy, reads on primaries, reads on replicas; `down` where a node is missing. */
type Seen = readonly [policy: string, primaries: number, replicas: number, down?: 'down'];

function judge(looks: readonly Seen[]): {
  readonly said: readonly string[];
  readonly faults: readonly string[];
} {
  const verdict = new Verdict(SETTLE_MS);
  const said = looks.flatMap(([policy, readsOnPrimaries, readsOnReplicas, down], index) => {
    const look: Look = {
      at: index * 200,
      policy,
      split: { readsOnPrimaries, readsOnReplicas, writesOnPrimaries: 0, writesOnReplicas: 0 },
      everyNodeAnswers: down === undefined,
    };
    return verdict
      .look(look)
      .map((event) => (event.kind === 'changed' ? `${event.from} -> ${event.to}` : `follow ${event.policy}`));
  });
  const { misplaced, neverFollowed } = verdict.conclude(looks.length * 200);
  const faults = [misplaced > 0 ? `${misplaced} misplaced` : '', neverFollowed ? 'never followed' : ''];
  return { said, faults: faults.filter((fault) => fault !== '') };
}

const times = (count: number, seen: Seen): readonly Seen[] => Array.from({ length: count }, () => seen);
const settled = SETTLE_MS / 200;

const cases: [claim: string, looks: readonly Seen[], said: readonly string[], faults: readonly string[]][] = [
  ['reads on replicas alone are right under REPLICA', times(5, ['REPLICA', 0, 80]), [], []],
  [
    'every read on a primary is counted under REPLICA, in the last look too',
    [
      ['REPLICA', 0, 80],
      ['REPLICA', 3, 77],
      ['REPLICA', 0, 80],
      ['REPLICA', 2, 78],
    ],
    [],
    ['5 misplaced'],
  ],
  ['ANY wants both', times(3, ['ANY', 0, 80]), [], ['240 misplaced']],
  ['too few reads under ANY say nothing', times(3, ['ANY', 0, 5]), [], []],
  [
    'reads of the new policy, seen before Envoy told of it, are no fault of the old one',
    [
      ['REPLICA', 0, 80],
      ['REPLICA', 40, 40],
      ['MASTER', 80, 0],
    ],
    ['REPLICA -> MASTER', 'follow MASTER'],
    [],
  ],
  [
    'reads may stay where they were while connections drain',
    [['MASTER', 80, 0], ...times(settled - 1, ['REPLICA', 40, 40]), ['REPLICA', 0, 80]],
    ['MASTER -> REPLICA', 'follow REPLICA'],
    [],
  ],
  [
    'reads that stay for longer are a fault',
    [['MASTER', 80, 0], ...times(settled + 3, ['REPLICA', 40, 40])],
    ['MASTER -> REPLICA'],
    ['120 misplaced', 'never followed'],
  ],
  [
    'after a change reads are judged again',
    [['MASTER', 80, 0], ...times(settled + 1, ['REPLICA', 0, 80]), ['REPLICA', 7, 73]],
    ['MASTER -> REPLICA', 'follow REPLICA'],
    ['7 misplaced'],
  ],
  [
    'PREFER_MASTER rightly reads from replicas while a primary is down, and until it is settled',
    [
      ['PREFER_MASTER', 80, 0],
      ['PREFER_MASTER', 50, 30, 'down'],
      ['PREFER_MASTER', 60, 20],
    ],
    [],
    [],
  ],
];

for (const [claim, looks, said, faults] of cases) {
  test(claim, () => assert.deepEqual(judge(looks), { said, faults }));
}
