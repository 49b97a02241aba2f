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
