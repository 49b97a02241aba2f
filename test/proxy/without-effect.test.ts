import assert from 'node:assert/strict';
import { Socket, createServer, type AddressInfo } from 'node:net';
import { test } from 'node:test';

import type { Listener, RoutingPlan, UpstreamBase } from '../../src/plan/routing-plan.ts';
import { keepaliveOf, openSocket } from '../../src/proxy/wire/socket.ts';
import { withoutEffect, type Means } from '../../src/proxy/without-effect.ts';
import { planTo } from './servers.ts';

const ALL: Means = { zone: 'east', knowsProbes: true };

function planOf(listener: Partial<Listener>, upstream: Partial<UpstreamBase> = {}): RoutingPlan {
  const plan = planTo(6379, {
    upstream: { address: 'redis', port: 6379 },
    mode: 'cluster',
    readPolicy: 'ANY',
    listen: { address: '127.0.0.1', port: 6379 },
  });
  return {
    listeners: plan.listeners.map((each) => ({ ...each, listener: { ...each.listener, ...listener } })),
    upstreams: new Map(
      [...plan.upstreams].map(([id, each]) => [
        id,
        each.mode === 'unavailable' ? each : { ...each, ...upstream },
      ]),
    ),
  };
}

const KEEPALIVE = { probes: 3, timeSeconds: 60, intervalSeconds: undefined };

const CASES: readonly (readonly [what: string, RoutingPlan, Means, told: RegExp | undefined])[] = [
  ['nothing special', planOf({}), ALL, undefined],
  ['zone affinity in a zone', planOf({ zoneAffinity: true }), ALL, undefined],
  ['zone affinity in no zone', planOf({ zoneAffinity: true }), { ...ALL, zone: undefined }, /--zone/],
  ['batching', planOf({ batching: { bytes: 1_024, flushAfterMs: 3 } }), ALL, /batching has no effect/],
  ['a limit of unknown nodes', planOf({ maxUnknownConnections: 5 }), ALL, /unknown nodes has no effect/],
  ['keepalive', planOf({}, { keepalive: KEEPALIVE }), ALL, undefined],
  [
    'keepalive in an old Node',
    planOf({}, { keepalive: KEEPALIVE }),
    { ...ALL, knowsProbes: false },
    /probes of tcpKeepalive/,
  ],
  ['command statistics', planOf({ commandStats: true }), ALL, undefined],
  ['a maximum of connections', planOf({}, { maxConnections: 5 }), ALL, undefined],
];

for (const [what, plan, means, told] of CASES) {
  test(`${what}: ${told === undefined ? 'nothing to tell' : 'told'}`, () => {
    const lines = withoutEffect(plan, means);
    assert.equal(lines.length, told === undefined ? 0 : 1);
    if (told !== undefined) assert.match(lines[0] ?? '', told);
  });
}

test('time, interval and probes of keepalive reach the socket', async (t) => {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve());
  });
  t.after(() => server.close());
  const { mock } = t.mock.method(Socket.prototype, 'setKeepAlive');
  const socket = openSocket(
    {
      host: '127.0.0.1',
      port: (server.address() as AddressInfo).port,
      connectTimeoutMs: 5_000,
      tls: undefined,
      keepalive: keepaliveOf({ timeSeconds: 17, intervalSeconds: 5, probes: 4 }),
    },
    Buffer.alloc(16),
    () => {},
  );
  t.after(() => socket.destroy());
  assert.deepEqual(mock.calls.at(-1)?.arguments, [true, 17_000, 5_000, 4]);
});
