import assert from 'node:assert/strict';
import { test } from 'node:test';

import { eventually } from '../../src/demo/eventually.ts';
import type { RoutingPlan } from '../../src/plan/routing-plan.ts';
import { clientOf, planTo, proxyFor, serverThat } from './servers.ts';

function removing(prefix: string, plan: RoutingPlan): RoutingPlan {
  const listeners = plan.listeners.map(({ bind, listener }) => {
    const { catchAll } = listener.routes;
    const prefixes = [{ ...catchAll!, prefix, removePrefix: true }];
    return { bind, listener: { ...listener, routes: { ...listener.routes, prefixes } } };
  });
  return { ...plan, listeners };
}

for (const [asked, wanted] of [
  ['SORT p:list BY p:w_* GET # GET p:o_*->f', 'SORT list BY w_* GET # GET o_*->f'],
  ['SORT_RO p:list LIMIT 0 5 GET p:o_* BY nosort', 'SORT_RO list LIMIT 0 5 GET o_* BY nosort'],
  ['sort p:get by q:by_* get p:get_* store p:by', 'sort get by q:by_* get get_* store by'],
  ['SORT list BY p:w_*', 'SORT list BY p:w_*'],
] as const) {
  test(`a prefix is removed from the patterns of "${asked}" where they are of the same route`, async (t) => {
    const redis = await serverThat(t, () => '*0\r\n');
    const { port } = await proxyFor(t, removing('p:', planTo(redis.port)));
    const client = clientOf(t, port);
    client.socket.write(`${asked}\r\n`);
    await eventually('the reply', () => client.got() === '*0\r\n' || undefined);
    assert.ok(redis.asked.includes(wanted), redis.asked.join(', '));
  });
}
