import assert from 'node:assert/strict';
import { test } from 'node:test';

import { HedgeBudget } from '../../../src/proxy/upstream/hedge-budget.ts';

/** Hedges as long as it may. */
function spendAll(budget: HedgeBudget): number {
  let spent = 0;
  for (; !budget.isSpent; spent++) budget.spend();
  return spent;
}

test('one in ten of the last minute is hedged, whenever within it', () => {
  const budget = new HedgeBudget();
  let hedges = 0;
  for (let second = 0; second < 60; second++) {
    budget.tick(second * 1_000);
    budget.reads += 100;
    hedges += spendAll(budget);
  }
  assert.equal(hedges, 600);
  // A second later the first one has left: its 20 hedges, and its 100 reads.
  budget.tick(60_000);
  budget.reads += 100;
  assert.equal(spendAll(budget), 20);
});

test('what was read more than a minute ago allows nothing', () => {
  const budget = new HedgeBudget();
  budget.reads = 10_000;
  budget.tick(30_000);
  assert.equal(spendAll(budget), 1_000);
  budget.tick(61_000);
  assert.equal(budget.isSpent, true);
  budget.tick(90_000);
  assert.equal(spendAll(budget), 20);
});

test('few reads may be hedged more often, at most 20 in a minute', () => {
  const budget = new HedgeBudget();
  budget.reads = 5;
  assert.equal(spendAll(budget), 20);
  budget.tick(59_000);
  assert.equal(budget.isSpent, true);
  budget.tick(60_000);
  assert.equal(spendAll(budget), 20);
});
