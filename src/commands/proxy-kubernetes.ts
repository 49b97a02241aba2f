/**
 * A proxy that carries out the objects of a cluster, as `serve --kubernetes` follows them; it writes nothing there.
 */
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';

import type { Proxy } from '../proxy/proxy.ts';
import { watchKubernetes, type WatchOptions } from '../sources/kubernetes/watch.ts';
import { completeness } from './kubernetes.ts';
import { ProxyPlanning, type ProxyView } from './proxy-planning.ts';

export interface ProxyKubernetesOptions
  extends ProxyView, Pick<WatchOptions, 'config' | 'namespaces' | 'selector' | 'secretsIntervalMs'> {
  readonly log: Logger;
  readonly metrics: Registry;
  readonly probe: boolean;
}

/** Resolves at once: the first plan is carried out when everything has been listed. */
export function followKubernetes(
  proxy: Proxy,
  options: ProxyKubernetesOptions,
): { waitingFor(): string | undefined; close(): Promise<void> } {
  const planning = new ProxyPlanning(proxy, { ...options, ...completeness(options) });
  const cluster = watchKubernetes({
    ...options,
    // What bad objects were like before a restart is what control planes remember.
    memoryNamespace: undefined,
    onChange: (...change) => planning.follow(...change),
  });
  void cluster.complete.then(() => planning.begin());
  return {
    waitingFor: () => cluster.waitingFor(),
    close: async () => {
      await cluster.close();
      await planning.close();
    },
  };
}
