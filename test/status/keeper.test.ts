import assert from 'node:assert/strict';
import { test } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import { NOTHING } from '../../src/sources/kubernetes/memory.ts';
import { StatusKeeper, type KeeperOptions } from '../../src/status/keeper.ts';

test('who leads again writes the memory again, since another may have meanwhile', async (t) => {
  let isHeld = true;
  let looks = 0;
  let writes = 0;
  const inputs: KeeperOptions['inputs'] = {
    objects: () => [],
    diagnostics: () => [],
    progress: () => new Map(),
    views: () => [],
    objectsOf: () => [],
    memory: () => NOTHING,
    inMesh: () => undefined,
    generations: () => new Map(),
    learn: () => {},
  };
  const keeper = new StatusKeeper({
    inputs,
    lease: {
      get isHeld() {
        return isHeld;
      },
      close: async () => {},
    },
    reports: {
      others: () => [],
      sweep: async () => {},
      publish: async () => void (looks += 1),
      close: async () => {},
    },
    writer: { current: () => [], write: () => {} },
    writeMemory: async () => void (writes += 1),
    log: { error: assert.fail },
  });
  t.after(() => keeper.close());
  const look = async (): Promise<void> => {
    const before = looks;
    keeper.wake();
    await eventually('a look', () => (looks > before ? true : undefined), { deadlineMs: 30_000 });
  };
  await look();
  await look();
  assert.equal(writes, 1);
  isHeld = false;
  await look();
  isHeld = true;
  await look();
  assert.equal(writes, 2);
});
