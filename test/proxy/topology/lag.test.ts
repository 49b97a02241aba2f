import assert from 'node:assert/strict';
import { test } from 'node:test';

import { PrimaryOffsets, askingEveryMs } from '../../../src/proxy/topology/lag.ts';
import type { ReplicationInfo } from '../../../src/proxy/topology/topology.ts';

function said(offset: number, more: Partial<ReplicationInfo> = {}): ReplicationInfo {
  return {
    role: 'primary',
    isLinkUp: true,
    isSyncing: false,
    linkDownSeconds: 0,
    silentSeconds: 0,
    id: 'a',
    offset,
    formerId: '0',
    formerUntil: -1,
    ...more,
  };
}

/** A primary that wrote 100 bytes a second, asked each second from 1 s to 4 s. */
function writing(): PrimaryOffsets {
  const offsets = new PrimaryOffsets(10_000);
  for (const second of [1, 2, 3, 4]) offsets.note(said(second * 100), second * 1_000);
  return offsets;
}

const CASES: readonly (readonly [what: string, replica: ReplicationInfo, lagMs: number])[] = [
  ['has all of the last answer', said(400), 100],
  ['has more than the last answer', said(430), 100],
  ['lacks the last byte of it', said(399), 1_100],
  ['has what there was two seconds ago', said(200), 2_100],
  ['has less than there ever was', said(99), Infinity],
  ['follows another history', said(400, { id: 'b' }), Infinity],
];

for (const [what, replica, lagMs] of CASES) {
  test(`a replica that ${what}: ${lagMs} ms at most`, () => {
    assert.equal(writing().lagOf(replica, 4_100), lagMs);
  });
}

test('what a map calls a primary, and is a replica by now, is no measure', () => {
  const offsets = writing();
  offsets.note(said(200, { role: 'replica' }), 5_000);
  assert.equal(offsets.lagOf(said(200, { role: 'replica' }), 5_100), 3_100);
});

test('a quiet primary makes nobody lag', () => {
  const offsets = new PrimaryOffsets(2_000);
  for (let second = 1; second <= 60; second++) offsets.note(said(100), second * 1_000);
  assert.equal(offsets.lagOf(said(100), 60_050), 50);
});

test('a promoted primary: a replica still on the former history counts, up to the promotion', () => {
  const offsets = new PrimaryOffsets(10_000);
  offsets.note(said(500, { id: 'b', formerId: 'a', formerUntil: 501 }), 1_000);
  assert.equal(offsets.lagOf(said(500, { id: 'a' }), 1_100), 100);
  assert.equal(offsets.lagOf(said(501, { id: 'a' }), 1_100), Infinity);
});

test('a primary that starts anew forgets what it said before', () => {
  const offsets = writing();
  offsets.note(said(210, { id: 'b' }), 5_000);
  assert.equal(offsets.lagOf(said(400, { id: 'a' }), 5_100), Infinity);
  assert.equal(offsets.lagOf(said(210, { id: 'b' }), 5_100), 100);
  // Of what it said before no offset is of that history.
  assert.equal(offsets.lagOf(said(209, { id: 'b' }), 5_100), Infinity);
});

test('nodes are asked often enough for the maximum, and not without need', () => {
  assert.deepEqual([undefined, 500, 2_000, 60_000].map(askingEveryMs), [1_000, 125, 500, 1_000]);
});
