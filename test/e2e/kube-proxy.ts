/** A proxy that follows a test's API server with the rights of its manifest. */
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';

import { pino } from 'pino';
import { Registry } from 'prom-client';

import { PROXY_DEFAULTS } from '../../src/commands/proxy-defaults.ts';
import { followKubernetes } from '../../src/commands/proxy-kubernetes.ts';
import { Proxy } from '../../src/proxy/proxy.ts';
import { loadCredentials } from '../../src/sources/kubernetes/credentials.ts';
import type { KubeCluster } from './kube-cluster.ts';
import { startProxyCommand, type ProxyCommand } from './proxy-command.ts';

export const PROXY_RIGHTS = fileURLToPath(
  new URL('../../manifests/proxy-kubernetes/rbac.yaml', import.meta.url),
);

export interface KubeProxy {
  readonly proxy: Proxy;
  /** What it logs, a line each. */
  readonly lines: readonly string[];
  /** What it waits for before there is a plan. */
  waitingFor(): string | undefined;
}

/** `redpilot proxy --kubernetes`, as a process that listens for no host, so that it is ready without any Redis. */
export async function startKubeProxyCommand(
  t: TestContext,
  kube: KubeCluster,
  namespace: string,
): Promise<ProxyCommand> {
  await giveRights(kube);
  return await startProxyCommand(t, ['--kubernetes', '--namespace', namespace, '--hosts', 'nobody'], {
    KUBECONFIG: await kube.kubeconfig('proxy'),
  });
}

async function giveRights(kube: KubeCluster): Promise<void> {
  await kube.kubectl(['create', 'namespace', 'app']);
  const applied = await kube.kubectl(['apply', '-f', PROXY_RIGHTS]);
  if (applied.status !== 0) throw new Error(applied.stderr);
}

/** In this process. Closed when the test ends. */
export async function startKubeProxy(
  t: TestContext,
  kube: KubeCluster,
  namespace: string,
): Promise<KubeProxy> {
  await giveRights(kube);
  const lines: string[] = [];
  const log = pino({ level: 'info' }, { write: (line: string) => lines.push(line) });
  const proxy = await Proxy.create({ ...PROXY_DEFAULTS, log });
  t.after(() => proxy.close());
  const source = followKubernetes(proxy, {
    config: loadCredentials({ KUBECONFIG: await kube.kubeconfig('proxy') }),
    namespaces: [],
    namespace,
    log,
    metrics: new Registry(),
    probe: true,
    secretsIntervalMs: 500,
  });
  t.after(() => source.close());
  return { proxy, lines, waitingFor: () => source.waitingFor() };
}
