import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { eventually } from '../../src/demo/eventually.ts';
import { ApiError } from '../../src/sources/kubernetes/api-error.ts';
import { NOTHING } from '../../src/sources/kubernetes/memory.ts';
import type { Condition } from '../../src/status/conditions.ts';
import { StatusKeeper, type KeeperOptions } from '../../src/status/keeper.ts';

const INPUTS: KeeperOptions['inputs'] = {
  objects: () => [],
  isBehind: () => false,
  diagnostics: () => [],
  progress: () => new Map(),
  views: () => [],
  objectsOf: () => [],
  memory: () => NOTHING,
  inMesh: () => undefined,
  generations: () => new Map(),
  learn: () => {},
};

const REPORTS: KeeperOptions['reports'] = {
  others: () => [],
  sweep: async () => {},
  publish: async () => {},
  close: async () => {},
};

/** Closed when the test ends. */
function keeperOf(t: TestContext, parts: Partial<KeeperOptions>): StatusKeeper {
  const keeper = new StatusKeeper({
    inputs: INPUTS,
    lease: { isHeld: true, close: async () => {} },
    reports: REPORTS,
    writer: { current: () => [], write: () => {} },
    writeMemory: async () => {},
    log: { error: assert.fail },
    ...parts,
  });
  t.after(() => keeper.close());
  return keeper;
}

test('who leads again writes the memory again, since another may have meanwhile', async (t) => {
  let isHeld = true;
  let looks = 0;
  let writes = 0;
  const keeper = keeperOf(t, {
    lease: {
      get isHeld() {
        return isHeld;
      },
      close: async () => {},
    },
    reports: { ...REPORTS, publish: async () => void (looks += 1) },
    writeMemory: async () => void (writes += 1),
  });
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

test('a slow API server is told one thing after the other, the newest last', async (t) => {
  const told: string[] = [];
  let underWay = 0;
  let looks = 0;
  const keeper = keeperOf(t, {
    inputs: { ...INPUTS, views: () => [String((looks += 1))] },
    reports: {
      ...REPORTS,
      publish: async ({ views }) => {
        assert.equal(underWay, 0, 'two at once');
        underWay += 1;
        told.push(`${views.join()} of ${looks}`);
        for (let woken = 0; woken < 30; woken++) {
          keeper.wake();
          await sleep(100);
        }
        underWay -= 1;
      },
    },
    log: { error: (message) => told.push(message) },
  });
  keeper.wake();
  await eventually('two reports', () => (told.length > 1 ? true : undefined), { deadlineMs: 60_000 });
  assert.equal(told[0], '1 of 1');
  assert.match(told[1] ?? '', /^(\d+) of \1$/);
});

test('nothing is told after the report of a replica that goes is deleted', async (t) => {
  const order: string[] = [];
  let answer: (() => void) | undefined;
  const keeper = keeperOf(t, {
    reports: {
      ...REPORTS,
      publish: async () => {
        await new Promise<void>((resolve) => {
          answer = resolve;
        });
        order.push('published');
      },
      close: async () => void order.push('deleted'),
    },
  });
  keeper.wake();
  const answerLate = await eventually('a report under way', () => answer, { deadlineMs: 30_000 });
  const closed = keeper.close();
  setImmediate(answerLate);
  await closed;
  assert.deepEqual(order, ['published', 'deleted']);
});

test('a memory that can not be written is told once, and keeps nobody from being told of the proxies', async (t) => {
  const lines: string[] = [];
  let reports = 0;
  let attempts = 0;
  const keeper = keeperOf(t, {
    reports: { ...REPORTS, publish: async () => void (reports += 1) },
    writeMemory: async () => {
      attempts += 1;
      throw new ApiError(403, 'Forbidden', 'configmaps "redpilot-memory" is forbidden');
    },
    log: { error: (message) => lines.push(message) },
  });
  for (const round of [1, 2]) {
    keeper.wake();
    await eventually('a report', () => (reports >= round ? true : undefined), { deadlineMs: 30_000 });
  }
  assert.ok(attempts >= 2);
  assert.deepEqual(lines, [
    'what must survive a restart was not stored: configmaps "redpilot-memory" is forbidden',
  ]);
});

test('of objects that are ahead of what proxies were sent nothing is said', async (t) => {
  const cache = { kind: 'RedisService', namespace: 'redis', name: 'cache', uid: '1', generation: 2 } as const;
  const object = { ...cache, status: undefined, isLastGood: false, object: undefined };
  let isBehind = true;
  let reports = 0;
  const written: string[] = [];
  const keeper = keeperOf(t, {
    inputs: { ...INPUTS, inMesh: () => () => undefined, objects: () => [object], isBehind: () => isBehind },
    reports: { ...REPORTS, publish: async () => void (reports += 1) },
    writer: { current: () => [], write: ({ name }) => void written.push(name) },
  });
  keeper.wake();
  await eventually('a look', () => (reports > 0 ? true : undefined), { deadlineMs: 30_000 });
  assert.deepEqual(written, []);
  isBehind = false;
  keeper.wake();
  await eventually('a status', () => (written.length > 0 ? true : undefined), { deadlineMs: 30_000 });
});

test('who leads has use for the views of other replicas, and nobody else', async (t) => {
  let isHeld = true;
  let looks = 0;
  const others = ['a', 'b'].map((view) => ({ views: [view], exceptions: {}, generations: {} }));
  const keeper = keeperOf(t, {
    inputs: { ...INPUTS, inMesh: () => () => undefined },
    lease: {
      get isHeld() {
        return isHeld;
      },
      close: async () => {},
    },
    reports: { ...REPORTS, others: () => others, publish: async () => void (looks += 1) },
  });
  const look = async (): Promise<void> => {
    const before = looks;
    keeper.wake();
    await eventually('a look', () => (looks > before ? true : undefined), { deadlineMs: 30_000 });
  };
  await look();
  assert.deepEqual(keeper.viewsOfOthers, ['a', 'b']);
  isHeld = false;
  await look();
  assert.deepEqual(keeper.viewsOfOthers, []);
});

test('an object whose proxies are on their way to another replica stays programmed for a while', async (t) => {
  let aheadMs = 0;
  const now = performance.now.bind(performance);
  t.mock.method(performance, 'now', () => now() + aheadMs);
  const cache = { kind: 'RedisService', namespace: 'redis', name: 'cache', uid: '1', generation: 2 } as const;
  const object = { ...cache, status: undefined, isLastGood: false, object: undefined };
  let served: readonly string[] = ['redis/cache'];
  let conditions: readonly Condition[] = [];
  let looks = 0;
  const keeper = keeperOf(t, {
    inputs: {
      ...INPUTS,
      inMesh: () => () => undefined,
      objects: () => [object],
      progress: () =>
        new Map(served.map((key) => [key, { isServed: true, isPending: false, rejections: [] }])),
    },
    reports: { ...REPORTS, publish: async () => void (looks += 1) },
    writer: { current: () => conditions, write: (_object, now) => void (conditions = now) },
  });
  const programmed = async (): Promise<string | undefined> => {
    const before = looks;
    keeper.wake();
    await eventually('a look', () => (looks > before ? true : undefined), { deadlineMs: 30_000 });
    return conditions.find(({ type }) => type === 'Programmed')?.reason;
  };
  assert.equal(await programmed(), 'Programmed');
  // By now it leads for long.
  aheadMs += 60_000;
  assert.equal(await programmed(), 'Programmed');
  served = [];
  assert.equal(await programmed(), 'Programmed');
  aheadMs += 60_000;
  assert.equal(await programmed(), 'NoProxies');
});

test('an API server that does not answer does not keep it from ending', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let asked = 0;
  const close = async (): Promise<void> => {
    asked += 1;
    if (asked === 1) await new Promise(() => {});
  };
  const keeper = keeperOf(t, { reports: { ...REPORTS, close } });
  const closing = keeper.close();
  t.mock.timers.tick(5_000);
  await closing;
  assert.equal(asked, 1);
});
