/**
 * Several plain servers behind one upstream, by their addresses or by a name.
 */
import dns from 'node:dns/promises';
import { syncBuiltinESMExports } from 'node:module';
import { isIP } from 'node:net';
import type { TestContext } from 'node:test';

import type { ProxyServers, RoutingPlan, Upstream } from '../../src/plan/routing-plan.ts';
import { planTo } from './servers.ts';

export function planToServers(servers: ProxyServers): RoutingPlan {
  const plan = planTo(0);
  const withServers = (upstream: Upstream): Upstream =>
    upstream.mode === 'proxy' ? { ...upstream, servers } : upstream;
  return {
    ...plan,
    upstreams: new Map(Array.from(plan.upstreams, ([id, upstream]) => [id, withServers(upstream)])),
  };
}

/** Until the test ends every name has these addresses, and those that are set later; none: it is not found. */
export function resolveTo(t: TestContext, ...addresses: string[]): { addresses: string[] } {
  const names = { addresses };
  const { lookup } = dns;
  const instead = async (name: string) => {
    if (names.addresses.length === 0)
      throw Object.assign(new Error(`${name} is not found`), { code: 'ENOTFOUND' });
    return names.addresses.map((address) => ({ address, family: isIP(address) }));
  };
  dns.lookup = instead as unknown as typeof lookup;
  syncBuiltinESMExports();
  t.after(() => {
    dns.lookup = lookup;
    syncBuiltinESMExports();
  });
  return names;
}
