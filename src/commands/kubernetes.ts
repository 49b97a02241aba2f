/**
 * What `serve --kubernetes` does otherwise than `serve --config`.
 */
import type { View } from '../plan/view.ts';
import type { WatchOptions } from '../sources/kubernetes/watch.ts';
import type { Replica } from '../status/replica.ts';
import type { WorldOptions } from '../world/world.ts';
import type { MeshSettings } from './keep-mesh.ts';

export interface KubernetesOptions extends Pick<
  WatchOptions,
  'config' | 'namespaces' | 'selector' | 'secretsIntervalMs' | 'silenceMs'
> {
  readonly replica: Replica;
  /** EnvoyFilters are written for Istio's sidecars. */
  readonly istio?: MeshSettings | undefined;
}

/** Of which namespaces every Service is known. */
export function completeness(
  kubernetes: Pick<KubernetesOptions, 'namespaces'> | undefined,
): Pick<WorldOptions, 'completeNamespaces'> {
  if (kubernetes === undefined) return {};
  const { namespaces } = kubernetes;
  return { completeNamespaces: namespaces.length === 0 ? 'all' : namespaces };
}

/** Node ids; nodes come and go, so it is emptied before it grows without end. */
const told = new Set<string>();
const MOST_TOLD = 10_000;

/** In a cluster an Envoy that does not say its namespace gets nothing: everything would be the objects of everybody. */
export function viewInCluster(view: View, nodeId: string, log: { warn(message: string): void }): View {
  if (view.namespace !== undefined) return view;
  if (!told.has(nodeId)) {
    if (told.size >= MOST_TOLD) told.clear();
    told.add(nodeId);
    log.warn(`${nodeId} names no namespace and gets nothing; make its bootstrap with --namespace`);
  }
  return { ...view, hosts: [] };
}
