import assert from 'node:assert/strict';
import { createServer, type AddressInfo } from 'node:net';
import { test } from 'node:test';

import type { Fault } from '../../src/api/objects.ts';
import { eventually } from '../../src/demo/eventually.ts';
import type { RoutingPlan, Upstream } from '../../src/plan/routing-plan.ts';
import { clientOf, planTo, proxyFor, withFault } from './servers.ts';

const VALUE = 'x'.repeat(500_000);
const PAIR = `$1\r\na\r\n$${VALUE.length}\r\n${VALUE}\r\n`;
const SET = `*3\r\n$3\r\nSET\r\n${PAIR}`;
/** For each of two servers. */
const MSET = `*9\r\n$4\r\nMSET\r\n${PAIR}${['b', 'c', 'd'].map((key) => `$1\r\n${key}\r\n$1\r\n1\r\n`).join('')}`;
const SCAN = `*4\r\n$4\r\nSCAN\r\n$1\r\n0\r\n$5\r\nMATCH\r\n$${VALUE.length}\r\n${VALUE}\r\n`;
/** As many short ones are under way at once. */
const COUNT = 60;

/** A port that nobody listens on. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve());
  });
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => {
    server.close(resolve);
  });
  return port;
}

/** To two servers, neither of which is there. */
async function planToNobody(): Promise<RoutingPlan> {
  const plan = planTo(0);
  const endpoints = await Promise.all(
    ['x', 'y'].map(async (hashKey) => ({ address: '127.0.0.1', port: await freePort(), hashKey })),
  );
  const withEndpoints = (upstream: Upstream): Upstream =>
    upstream.mode === 'proxy' ? { ...upstream, servers: { kind: 'endpoints', endpoints } } : upstream;
  return {
    ...plan,
    upstreams: new Map(Array.from(plan.upstreams, ([id, upstream]) => [id, withEndpoints(upstream)])),
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
    const plan = await planToNobody();
    const { port, proxy } = await proxyFor(t, fault === undefined ? plan : withFault(plan, fault), {
      failoverWaitMs: 1_500,
    });
    const client = clientOf(t, port);
    const held = (): number => proxy.status()[0]?.events['held'] ?? 0;
    let kept = 0;
    const watch = setInterval(() => {
      if (client.got() === '') kept = held();
    }, 5);
    t.after(() => clearInterval(watch));
    client.socket.write(asked.repeat(COUNT));
    await eventually('the first reply', () => client.got() !== '' || undefined);
    assert.ok(kept >= 3 && kept <= COUNT / 2, `${kept} are kept`);
    await eventually('those behind them', () => held() > kept || undefined);
    client.socket.destroy();
    await eventually('no client', () => proxy.clients === 0 || undefined);
  });
}
