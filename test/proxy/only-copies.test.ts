import assert from 'node:assert/strict';
import { test } from 'node:test';

import type { Listener, Route, RoutingPlan } from '../../src/plan/routing-plan.ts';
import { onlyCopies } from '../../src/proxy/only-copies.ts';
import { onlyReplicas } from '../../src/proxy/only-replicas.ts';
import { planTo } from './servers.ts';

type Way = Partial<Pick<Route, 'upstream' | 'reads'>> & { readonly copies?: readonly string[] };

/** A listener whose keys go the first way, those that begin with "a:" the second. */
function planOf(readPolicy: Listener['readPolicy'], catchAll: Way, prefix: Way): RoutingPlan {
  const plan = planTo(1, { readPolicy });
  const routeOf = ({ upstream = 'main', reads, copies = [] }: Way): Route => ({
    upstream,
    reads,
    mirrors: copies.map((id) => ({ upstream: id, percentage: 100, excludeReads: false })),
  });
  const listeners = plan.listeners.map(({ bind, listener }) => {
    const prefixes = [{ ...routeOf(prefix), prefix: 'a:', removePrefix: false }];
    const routes = { ...listener.routes, catchAll: routeOf(catchAll), prefixes };
    return { bind, listener: { ...listener, routes } };
  });
  return { ...plan, listeners };
}

test('an upstream that gets copies counts as one whose failure nobody sees, unless it is asked, too', () => {
  const copies = ['mirror', 'other', 'reads'];
  const plan = planOf('REPLICA', { reads: 'reads', copies }, { upstream: 'other' });
  assert.deepEqual([...onlyCopies(plan)], ['mirror']);
});

test('who needs replicas is who is read from, where replicas alone may answer', () => {
  const ways = [{ reads: 'reads' }, { upstream: 'other' }] as const;
  assert.deepEqual([...onlyReplicas(planOf('REPLICA', ...ways))], ['other', 'reads']);
  assert.deepEqual([...onlyReplicas(planOf('PREFER_REPLICA', ...ways))], []);
});
