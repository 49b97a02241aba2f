import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import { LeavingNodes } from '../../../src/proxy/topology/leaving-nodes.ts';
import type { Node } from '../../../src/proxy/topology/node.ts';

/** A node that has not answered all that it was asked. */
function setUp(t: TestContext) {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const state = { isUsable: true, isWaitedFor: true };
  const leaving = new LeavingNodes();
  const close = t.mock.fn();
  leaving.leave(state as unknown as Node, close);
  return {
    leaving,
    state,
    timesClosed: () => close.mock.callCount(),
    pass: (ms: number) => t.mock.timers.tick(ms),
  };
}

for (const [what, after] of [
  ['has answered', { isWaitedFor: false }],
  ['can be asked no more', { isUsable: false }],
] as const) {
  test(`a node that leaves is closed once it ${what}`, (t) => {
    const { leaving, state, timesClosed, pass } = setUp(t);
    pass(100);
    assert.deepEqual([timesClosed(), leaving.isEmpty], [0, false]);
    Object.assign(state, after);
    pass(100);
    assert.deepEqual([timesClosed(), leaving.isEmpty], [1, true]);
  });
}

test('nobody waits for nodes that leave once all is closed', (t) => {
  const { leaving, timesClosed, pass } = setUp(t);
  leaving.closeAll();
  assert.deepEqual([timesClosed(), leaving.isEmpty], [1, true]);
  pass(10_000);
  assert.deepEqual([timesClosed(), leaving.isEmpty], [1, true]);
});
