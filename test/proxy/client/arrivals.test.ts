import assert from 'node:assert/strict';
import { test } from 'node:test';

import { Arrivals } from '../../../src/proxy/client/arrivals.ts';

test('a command came when its last byte did', () => {
  const arrivals = new Arrivals();
  arrivals.note(100, 1_000);
  arrivals.note(300, 2_000);
  assert.deepEqual(
    [10, 100, 101, 300, 301].map((end) => arrivals.of(end)),
    [1_000, 1_000, 2_000, 2_000, 0],
  );
});

test('what those before it leave behind is nearer by as much', () => {
  const arrivals = new Arrivals();
  arrivals.note(100, 1_000);
  arrivals.note(300, 2_000);
  arrivals.move(90);
  assert.deepEqual(
    [10, 11].map((end) => arrivals.of(end)),
    [1_000, 2_000],
  );
});

test('what comes little by little for long is never taken for older than it is', () => {
  const arrivals = new Arrivals();
  for (let second = 1; second <= 1_000; second++) arrivals.note(second, 1_000 * second);
  for (let second = 1; second <= 1_000; second++) assert.ok(arrivals.of(second) >= 1_000 * second);
});

test('once all counts anew nothing is older than that', () => {
  const arrivals = new Arrivals();
  arrivals.note(100, 1_000);
  arrivals.note(300, 2_000);
  arrivals.countAnew(5_000);
  assert.deepEqual(
    [100, 300].map((end) => arrivals.of(end)),
    [5_000, 5_000],
  );
});

test('what comes little by little within a moment came with the first of it', () => {
  const arrivals = new Arrivals();
  for (let piece = 0; piece < 5; piece++) arrivals.note(100 + piece, 1_000 + 10 * piece);
  arrivals.note(200, 1_050);
  assert.deepEqual(
    [100, 104, 200].map((end) => arrivals.of(end)),
    [1_000, 1_000, 1_050],
  );
});

test('of what is gone, and of another client, nothing is left', () => {
  const [gone, other] = [new Arrivals(), new Arrivals()];
  gone.note(100, 1_000);
  gone.clear();
  assert.deepEqual([gone.of(10), other.of(10)], [0, 0]);
});
