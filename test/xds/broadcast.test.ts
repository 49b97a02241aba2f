import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';

import { Broadcast } from '../../src/xds/broadcast.ts';

interface Counting {
  pushes: number;
  push(): void;
}

function streams(count: number): Set<Counting> {
  const counting = (): Counting => ({
    pushes: 0,
    push() {
      this.pushes += 1;
    },
  });
  return new Set(Array.from({ length: count }, counting));
}

function pushesOf(live: ReadonlySet<Counting>): number[] {
  return [...new Set(Array.from(live, ({ pushes }) => pushes))];
}

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await nextTurn();
}

test('changes of one turn are one push for each stream, some of them a turn', async () => {
  const live = streams(2_400);
  const broadcast = new Broadcast(live);
  broadcast.begin(0);
  broadcast.begin(0);
  assert.deepEqual(pushesOf(live), [0]);
  await turns(1);
  assert.deepEqual(pushesOf(live), [1, 0]);
  await turns(5);
  assert.deepEqual(pushesOf(live), [1]);
});

test('a change while others are being pushed reaches all streams after it, and holds up none', async () => {
  const live = streams(2_400);
  const broadcast = new Broadcast(live);
  for (let change = 0; change < 8; change += 1) {
    broadcast.begin(0);
    await turns(1);
  }
  assert.ok(
    [...live].every(({ pushes }) => pushes >= 2),
    'a change a turn',
  );
  const before = Array.from(live, ({ pushes }) => pushes);
  broadcast.begin(0);
  await turns(8);
  assert.ok([...live].every(({ pushes }, index) => pushes > (before[index] ?? 0)));
});

test('a stream that has gone is not pushed, and nothing is after the end', async () => {
  const live = streams(1_200);
  const last = [...live].at(-1);
  const broadcast = new Broadcast(live);
  broadcast.begin(0);
  await turns(1);
  if (last !== undefined) live.delete(last);
  await turns(3);
  assert.equal(last?.pushes, 0);
  broadcast.begin(0);
  broadcast.stop();
  await turns(3);
  assert.deepEqual(pushesOf(live), [1]);
});
