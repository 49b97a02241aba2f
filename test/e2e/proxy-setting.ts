/**
 * The proxy before servers of our own, in the test's process.
 */
import type { TestContext } from 'node:test';

import { Redis } from 'ioredis';
import { pino } from 'pino';

import type { ReadPolicy } from '../../src/api/objects.ts';
import { SecretText } from '../../src/api/secret-text.ts';
import { eventually } from '../../src/demo/eventually.ts';
import type { RedisCluster } from '../../src/demo/redis-cluster.ts';
import type { RoutingPlan } from '../../src/plan/routing-plan.ts';
import { Proxy, type ProxyOptions } from '../../src/proxy/proxy.ts';
import { planTo } from '../proxy/servers.ts';

export async function startProxy(
  t: TestContext,
  plan: RoutingPlan,
  options: Partial<ProxyOptions> = {},
): Promise<Proxy> {
  const proxy = await Proxy.create({
    hedgeAfterMs: 200,
    failoverWaitMs: 8_000,
    maxClients: 1_000,
    drainMs: 1_000,
    log: pino({ level: 'silent' }),
    ...options,
  });
  t.after(() => proxy.close());
  await proxy.update(plan);
  await eventually('the proxy knowing where to send what', () =>
    proxy.notReady() === undefined ? true : undefined,
  );
  return proxy;
}

/** Its ports, in the plan's order. */
export function portsOf(proxy: Proxy): readonly number[] {
  return [...proxy.addresses().values()].map((address) => Number(address.split(':').at(-1)));
}

/** One listener on a free port of 127.0.0.1. */
export function clusterPlan(
  cluster: RedisCluster,
  readPolicy: ReadPolicy,
  passwords: { readonly client?: string; readonly upstream?: string } = {},
): RoutingPlan {
  const secret = (text: string | undefined): SecretText | undefined =>
    text === undefined ? undefined : new SecretText(text);
  return planTo(cluster.nodes[0]?.port ?? 0, {
    mode: 'cluster',
    readPolicy,
    clientPassword: secret(passwords.client),
    upstreamPassword: secret(passwords.upstream),
  });
}

/** As applications connect: RESP3, with its ready check. Closed when the test ends. */
export function client(
  t: TestContext,
  port: number,
  options: {
    readonly host?: string;
    readonly username?: string;
    readonly password?: string;
    readonly enableReadyCheck?: boolean;
    readonly protocol?: 2 | 3;
  } = {},
): Redis {
  const made = new Redis({
    host: '127.0.0.1',
    port,
    maxRetriesPerRequest: 0,
    retryStrategy: () => 50,
    ...options,
  });
  made.on('error', () => {});
  t.after(() => made.disconnect());
  return made;
}
