import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import { pino } from 'pino';
import { AggregatorRegistry, Registry } from 'prom-client';

import { eventually } from '../../../src/demo/eventually.ts';
import type { AskMode } from '../../../src/sources/observations/ask-mode.ts';
import { ModeObserver } from '../../../src/sources/observations/observer.ts';
import type { ModeQuestion, ObservedMode } from '../../../src/world/observation.ts';

const HOST = 'redis.example.com:6379';
const PATIENT = { silentMs: 20_000, longestMs: 20_000 };

function question(host = HOST, addresses = ['10.0.0.1']): ModeQuestion {
  return {
    host,
    addresses: addresses.map((address) => ({ address, port: 6379 })),
    credentials: undefined,
    tls: undefined,
  };
}

interface Setting {
  readonly observer: ModeObserver;
  readonly reported: Map<string, ObservedMode | undefined>;
  readonly asked: string[];
  readonly lines: string[];
  readonly metrics: Registry;
}

/** `answer` stands for the servers: what the n-th question gets. */
function setUp(
  t: TestContext,
  answer: (asked: number, address: string) => ObservedMode | Promise<ObservedMode>,
): Setting {
  const reported = new Map<string, ObservedMode | undefined>();
  const asked: string[] = [];
  const lines: string[] = [];
  const metrics = new Registry();
  const ask: AskMode = async ({ address }) => {
    asked.push(address);
    return await answer(asked.length, address);
  };
  const observer = new ModeObserver({
    ask,
    metrics,
    log: pino({ level: 'info' }, { write: (line) => lines.push((JSON.parse(line) as { msg: string }).msg) }),
    onChange: (changes) => {
      for (const [host, mode] of changes) reported.set(host, mode);
    },
  });
  t.after(() => observer.close());
  return { observer, reported, asked, lines, metrics };
}

test('a host that answers is reported, logged, counted and asked no more', async (t) => {
  const { observer, reported, asked, lines, metrics } = setUp(t, () => 'cluster');
  observer.follow(new Map([[HOST, question()]]));
  await observer.tried(PATIENT);
  assert.equal(reported.get(HOST), 'cluster');
  assert.deepEqual(lines, [`${HOST} says that its mode is cluster`]);
  assert.match(
    await metrics.metrics(),
    /redpilot_observed_mode\{host="redis\.example\.com:6379",mode="cluster"\} 1/,
  );
  assert.equal(asked.length, 1);
});

test('a host that several workers have asked counts once', async (t) => {
  const { observer, metrics } = setUp(t, () => 'cluster');
  observer.follow(new Map([[HOST, question()]]));
  await observer.tried(PATIENT);
  const told = (): Promise<object[]> => metrics.getMetricsAsJSON();
  const together = AggregatorRegistry.aggregate([await told(), await told()]);
  assert.match(await together.metrics(), /mode="cluster"\} 1\n/);
});

test('a host that cannot be asked is asked again until it answers, and told once', async (t) => {
  const { observer, reported, lines } = setUp(t, (asked) =>
    asked < 3 ? Promise.reject(new Error('connect ECONNREFUSED')) : 'standalone',
  );
  observer.follow(new Map([[HOST, question()]]));
  await eventually('an answer', () => reported.get(HOST));
  assert.equal(reported.get(HOST), 'standalone');
  assert.deepEqual(lines, [
    `${HOST} can't be asked for its mode: connect ECONNREFUSED; it is asked again until it answers`,
    `${HOST} says that its mode is standalone`,
  ]);
});

test('one address that answers is enough', async (t) => {
  const { observer, reported } = setUp(t, (_, address) =>
    address === '10.0.0.3' ? 'cluster' : Promise.reject(new Error('connect ECONNREFUSED')),
  );
  observer.follow(new Map([[HOST, question(HOST, ['10.0.0.1', '10.0.0.2', '10.0.0.3'])]]));
  await observer.tried(PATIENT);
  assert.equal(reported.get(HOST), 'cluster');
});

test('the next round asks other addresses', async (t) => {
  const { observer, reported } = setUp(t, (_, address) =>
    address === '10.0.0.5' ? 'cluster' : Promise.reject(new Error('connect ECONNREFUSED')),
  );
  const addresses = ['10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.4', '10.0.0.5'];
  observer.follow(new Map([[HOST, question(HOST, addresses)]]));
  await eventually('an answer', () => reported.get(HOST));
  assert.equal(reported.get(HOST), 'cluster');
});

test('an answer is kept when the host is asked anew and cannot be reached', async (t) => {
  const { observer, reported } = setUp(t, (asked) =>
    asked === 1 ? 'cluster' : Promise.reject(new Error('connect ECONNREFUSED')),
  );
  observer.follow(new Map([[HOST, question()]]));
  await observer.tried(PATIENT);
  observer.follow(new Map([[HOST, question(HOST, ['10.0.0.9'])]]));
  await observer.tried(PATIENT);
  assert.equal(observer.answers().get(HOST), 'cluster');
  assert.equal(reported.get(HOST), 'cluster');
});

test('another answer at another address is a change: reported, logged, and the old one is not counted', async (t) => {
  const { observer, reported, lines, metrics } = setUp(t, (asked) =>
    asked === 1 ? 'standalone' : 'cluster',
  );
  observer.follow(new Map([[HOST, question()]]));
  await observer.tried(PATIENT);
  observer.follow(new Map([[HOST, question(HOST, ['10.0.0.9'])]]));
  await observer.tried(PATIENT);
  assert.equal(reported.get(HOST), 'cluster');
  assert.equal(lines.at(-1), `${HOST} says that its mode is cluster, which was standalone before`);
  assert.doesNotMatch(await metrics.metrics(), /mode="standalone"/);
});

test('an answer that comes after the question was withdrawn is not reported', async (t) => {
  let answerLate: (mode: ObservedMode) => void = () => {};
  const late = new Promise<ObservedMode>((resolve) => {
    answerLate = resolve;
  });
  const { observer, reported, asked } = setUp(t, (_, address) => (address === '10.0.0.1' ? late : 'cluster'));
  observer.follow(new Map([[HOST, question()]]));
  observer.follow(new Map([[HOST, undefined]]));
  answerLate('standalone');
  observer.follow(new Map([['probe:6379', question('probe:6379', ['10.0.0.2'])]]));
  await observer.tried(PATIENT);
  assert.deepEqual([...reported], [['probe:6379', 'cluster']]);
  assert.equal(asked.length, 2);
});

test('waiting for the first answers ends where nobody answers', async (t) => {
  const { observer, reported } = setUp(t, () => new Promise(() => {}));
  observer.follow(new Map([[HOST, question()]]));
  await observer.tried({ silentMs: 50, longestMs: 20_000 });
  assert.equal(reported.size, 0);
});

/** Five hosts that answer when the test says so, and a wait for them in the test's own time. */
function startWaiting(t: TestContext): {
  readonly answer: (count: number) => Promise<void>;
  readonly tick: (ms: number) => Promise<void>;
  readonly isWaiting: () => boolean;
} {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const unanswered: ((mode: ObservedMode) => void)[] = [];
  const { observer } = setUp(t, () => new Promise((resolve) => unanswered.push(resolve)));
  const hosts = ['a:6379', 'b:6379', 'c:6379', 'd:6379', 'e:6379'];
  observer.follow(new Map(hosts.map((host) => [host, question(host)])));
  let isWaiting = true;
  const wait = async (): Promise<void> => {
    await observer.tried({ silentMs: 1_000, longestMs: 2_500 });
    isWaiting = false;
  };
  void wait();
  const tick = async (ms: number): Promise<void> => {
    t.mock.timers.tick(ms);
    await new Promise(setImmediate);
  };
  const answer = async (count: number): Promise<void> => {
    for (let at = 0; at < count; at++) {
      await tick(400);
      unanswered.shift()?.('cluster');
      await tick(0);
    }
  };
  return { answer, tick, isWaiting: () => isWaiting };
}

test('waiting for the first answers goes on as long as some come', async (t) => {
  const { answer, isWaiting } = startWaiting(t);
  await answer(4);
  assert.equal(isWaiting(), true);
});

test('waiting for the first answers ends when all have come', async (t) => {
  const { answer, isWaiting } = startWaiting(t);
  await answer(5);
  assert.equal(isWaiting(), false);
});

test('waiting for the first answers ends in any case', async (t) => {
  const { answer, tick, isWaiting } = startWaiting(t);
  await answer(4);
  await tick(900);
  assert.equal(isWaiting(), false);
});

test('of many hosts no more than 64 are asked at once, and all are answered', async (t) => {
  let [running, most] = [0, 0];
  const { observer, reported } = setUp(t, async (): Promise<ObservedMode> => {
    running += 1;
    most = Math.max(most, running);
    await new Promise(setImmediate);
    running -= 1;
    return 'cluster';
  });
  const hosts = Array.from({ length: 200 }, (_, index) => `redis-${index}:6379`);
  observer.follow(new Map(hosts.map((host) => [host, question(host)])));
  await observer.tried(PATIENT);
  assert.equal(reported.size, 200);
  assert.equal(most, 64);
});

test('an answer is wanted as long as one of two upstreams asks', async (t) => {
  const { observer, reported } = setUp(t, () => 'cluster');
  const others = Array.from({ length: 1_000 }, (_, index) => `redis-${index}:6379`);
  observer.follow(new Map([HOST, ...others].map((host) => [host, question(host)])));
  observer.follow(new Map([[`${HOST}@shop`, question()]]));
  await observer.tried(PATIENT);
  observer.follow(new Map([HOST, ...others].map((host) => [host, undefined])));
  observer.follow(new Map([[`${HOST}@shop`, undefined]]));
  await eventually('the oldest forgotten', () =>
    reported.get('redis-0:6379') === undefined ? true : undefined,
  );
  assert.equal(observer.answers().get(HOST), 'cluster');
});

test('answers that nobody wants any more are kept, but not without limit', async (t) => {
  const { observer, reported } = setUp(t, () => 'cluster');
  const hosts = Array.from({ length: 1_001 }, (_, index) => `redis-${index}:6379`);
  observer.follow(new Map(hosts.map((host) => [host, question(host)])));
  await observer.tried(PATIENT);
  observer.follow(new Map(hosts.map((host) => [host, undefined])));
  await eventually('the oldest forgotten', () =>
    reported.get('redis-0:6379') === undefined ? true : undefined,
  );
  assert.equal(observer.answers().size, 1_000);
});
