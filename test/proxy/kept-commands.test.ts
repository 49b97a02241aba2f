import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';

import type { Fault } from '../../src/api/objects.ts';
import { eventually } from '../../src/demo/eventually.ts';
import type { RoutingPlan, Upstream } from '../../src/plan/routing-plan.ts';
import { clientOf, planTo, proxyFor, serverThat, withFault } from './servers.ts';

const VALUE = 'x'.repeat(500_000);
const PAIR = `$1\r\na\r\n$${VALUE.length}\r\n${VALUE}\r\n`;
const SET = `*3\r\n$3\r\nSET\r\n${PAIR}`;
/** For each of two servers. */
const MSET = `*9\r\n$4\r\nMSET\r\n${PAIR}${['b', 'c', 'd'].map((key) => `$1\r\n${key}\r\n$1\r\n1\r\n`).join('')}`;
const SCAN = `*4\r\n$4\r\nSCAN\r\n$1\r\n0\r\n$5\r\nMATCH\r\n$${VALUE.length}\r\n${VALUE}\r\n`;
const COUNT = 60;
/** As many as are under way at once. */
const MUCH = 10_000;
/** One for each server. */
const OF_ANOTHER = 2;

const LOADING = '-LOADING Redis is loading the dataset in memory\r\n';

interface Scene {
  readonly plan: RoutingPlan;
  /** From now on neither of its two servers can be asked. */
  readonly load: () => void;
}

async function setUp(t: TestContext): Promise<Scene> {
  let isLoading = false;
  const endpoints = await Promise.all(
    ['x', 'y'].map(async (hashKey) => {
      const { port } = await serverThat(t, (words) =>
        isLoading ? LOADING : words === 'PING' ? '+PONG\r\n' : '+OK\r\n',
      );
      return { address: '127.0.0.1', port, hashKey };
    }),
  );
  const plan = planTo(0);
  const withEndpoints = (upstream: Upstream): Upstream =>
    upstream.mode === 'proxy' ? { ...upstream, servers: { kind: 'endpoints', endpoints } } : upstream;
  return {
    plan: {
      ...plan,
      upstreams: new Map(Array.from(plan.upstreams, ([id, upstream]) => [id, withEndpoints(upstream)])),
    },
    load: () => (isLoading = true),
  };
}

const LATE: Fault = { type: 'DELAY', percentage: 100, delayMs: 1, commands: [] };

for (const [what, asked, fault] of [
  ['commands', SET, undefined],
  ['commands for several servers', MSET, undefined],
  ['scans of several servers', SCAN, undefined],
  ['commands, which a fault delays,', SET, LATE],
] as const) {
  test(`few of a client's long ${what} are kept while no node can be asked`, async (t) => {
    const { plan, load } = await setUp(t);
    const { port, proxy } = await proxyFor(t, fault === undefined ? plan : withFault(plan, fault), {
      failoverWaitMs: 1_000,
    });
    const [client, other] = [clientOf(t, port), clientOf(t, port)];
    // Of who has been answered much a lot is asked at once.
    client.socket.write('SET k 1\r\n'.repeat(MUCH));
    const before = '+OK\r\n'.repeat(MUCH).length;
    await eventually('much being answered', () => client.got().length === before || undefined);
    load();
    other.socket.write('MSET a 1 b 1 c 1 d 1\r\n');
    const held = (): number => (proxy.status()[0]?.events['held'] ?? 0) - OF_ANOTHER;
    await eventually('both servers being known to load', () => held() === 0 || undefined);
    let kept = 0;
    const watch = setInterval(() => {
      if (client.got().length === before) kept = held();
    }, 5);
    t.after(() => clearInterval(watch));
    client.socket.write(asked.repeat(COUNT));
    await eventually('the first reply', () => client.got().length > before || undefined);
    assert.ok(kept >= 3 && kept <= COUNT / 2, `${kept} are kept`);
    await eventually('those behind them', () => held() > kept || undefined);
    for (const { socket } of [client, other]) socket.destroy();
    await eventually('no client', () => proxy.clients === 0 || undefined);
  });
}
