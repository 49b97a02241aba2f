import assert from 'node:assert/strict';
import { test } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import type { RoutingPlan } from '../../src/plan/routing-plan.ts';
import { clientOf, planTo, proxyFor, serverThat } from './servers.ts';

function mirrored(main: RoutingPlan, copies: RoutingPlan): RoutingPlan {
  const [mirror = assert.fail()] = copies.upstreams.keys();
  const listeners = main.listeners.map(({ bind, listener }) => {
    const { catchAll = assert.fail() } = listener.routes;
    const mirrors = [{ upstream: mirror, percentage: 100, excludeReads: false }];
    return {
      bind,
      listener: { ...listener, routes: { ...listener.routes, catchAll: { ...catchAll, mirrors } } },
    };
  });
  return { listeners, upstreams: new Map([...main.upstreams, ...copies.upstreams]) };
}

test('a copy that a mirror refuses is not tried again', async (t) => {
  const main = await serverThat(t, () => '+OK\r\n');
  const mirror = await serverThat(t, (words) =>
    words.startsWith('SET') ? "-READONLY You can't write against a read only replica.\r\n" : '+PONG\r\n',
  );
  const plan = mirrored(planTo(main.port), planTo(mirror.port));
  const { port, proxy } = await proxyFor(t, plan, { failoverWaitMs: 20_000 });
  const client = clientOf(t, port);
  client.socket.write('SET k 1\r\n');
  const events = (name: string): number =>
    proxy.status().reduce((sum, status) => sum + (status.events[name] ?? 0), 0);
  await eventually('its being given up', () => events('failed') > 0 || undefined);
  assert.deepEqual(
    [main, mirror].map(({ asked }) => asked.filter((words) => words.startsWith('SET'))),
    [['SET k 1'], ['SET k 1']],
  );
});

test('a mirror that does not answer gets no more than it can be behind, and delays nobody', async (t) => {
  const COUNT = 12_000;
  const main = await serverThat(t, () => '+OK\r\n');
  const mirror = await serverThat(t, (words) => (words === 'PING' ? '+PONG\r\n' : undefined));
  // Else it would be passed by for its silence after a moment.
  const settings = { hedgeAfterMs: 60_000 };
  const { port } = await proxyFor(t, mirrored(planTo(main.port), planTo(mirror.port)), settings);
  const client = clientOf(t, port);
  client.socket.write('SET k 1\r\n'.repeat(COUNT));
  await eventually('all replies', () => client.got().length === 5 * COUNT || undefined);
  const copies = (): number => mirror.asked.filter((words) => words.startsWith('SET')).length;
  await eventually('the copies', () => copies() >= 10_000 || undefined);
  // One more may be under way when it is looked at.
  assert.ok(copies() <= 10_001, `${copies()} copies`);
});
