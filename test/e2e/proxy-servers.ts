/** Plain servers, and the proxy with a listener as a test wants it before them. */
import type { TestContext } from 'node:test';

import { removeFolder, temporaryFolder } from '../../src/demo/child-process.ts';
import { startRedis, stopRedis, type RedisNode } from '../../src/demo/redis-node.ts';
import type { Listener, ProxyUpstream, ReadsUpstream, Upstream } from '../../src/plan/routing-plan.ts';
import type { ProxyOptions } from '../../src/proxy/proxy.ts';
import { needRedis } from './environment.ts';
import { portsOf, startProxy } from './proxy-setting.ts';
import { planTo } from '../proxy/servers.ts';

export async function startServers(
  t: TestContext,
  count: number,
  from?: 'path' | 'wheel',
): Promise<readonly RedisNode[] | undefined> {
  const redis = await needRedis(t, from);
  if (redis === undefined) return undefined;
  const folder = await temporaryFolder('servers');
  t.after(() => removeFolder(folder));
  const servers = await Promise.all(
    Array.from({ length: count }, () => startRedis({ server: redis.server, folder })),
  );
  t.after(() => Promise.all(servers.map(stopRedis)));
  return servers;
}

export function servers(id: string, nodes: readonly RedisNode[]): ProxyUpstream {
  const endpoints = nodes.map(({ port }, index) => ({
    address: '127.0.0.1',
    port,
    hashKey: `${id}-${index}`,
  }));
  return { ...BASE, id, mode: 'proxy', servers: { kind: 'endpoints', endpoints } };
}

export function readsFrom(id: string, ...groups: readonly (readonly RedisNode[])[]): ReadsUpstream {
  const listed = groups.map((nodes) => [servers(id, nodes).servers]);
  return { ...BASE, id, mode: 'reads', groups: listed };
}

const BASE = {
  connectTimeoutMs: 500,
  credentials: undefined,
  tls: undefined,
  keepalive: undefined,
  maxConnections: undefined,
} as const;

/** One listener on a free port; `change` says what it has beyond the plainest. */
export async function startListener(
  t: TestContext,
  upstreams: readonly Upstream[],
  change: (listener: Listener) => Partial<Listener>,
  options: Partial<ProxyOptions> = {},
): Promise<number> {
  const plan = planTo(1);
  const proxy = await startProxy(
    t,
    {
      upstreams: new Map(upstreams.map((upstream) => [upstream.id, upstream])),
      listeners: plan.listeners.map(({ bind, listener }) => ({
        bind,
        listener: { ...listener, ...change(listener) },
      })),
    },
    options,
  );
  return portsOf(proxy)[0] ?? 0;
}

export function catchAll(
  upstream: string,
  more: Partial<Listener['routes']['catchAll'] & object> = {},
): Partial<Listener> {
  return {
    routes: {
      prefixes: [],
      catchAll: { upstream, reads: undefined, mirrors: [], ...more },
      caseInsensitive: false,
    },
  };
}
