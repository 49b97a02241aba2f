/**
 * Wires the status of the objects of a cluster to what is known of them and of the proxies.
 */
import type { Logger } from 'pino';
import type { Registry } from 'prom-client';

import type { Diagnostic } from '../api/diagnostic.ts';
import { CLUSTER_TYPE, LISTENER_TYPE, type TypeUrl } from '../envoy/resource.ts';
import type { Snapshot } from '../envoy/resource-set.ts';
import type { NodeView, ViewSnapshots } from '../envoy/view-snapshots.ts';
import { upstreamsOf } from '../plan/view.ts';
import { writeMemory, type Remembered } from '../sources/kubernetes/memory.ts';
import type { KubernetesSource } from '../sources/kubernetes/watch.ts';
import { Events, noticesOf } from '../status/events.ts';
import { StatusKeeper, type StatusInputs } from '../status/keeper.ts';
import type { LastGood } from '../status/last-good.ts';
import type { Lease } from '../status/lease.ts';
import { progressOf, type ObjectResources, type ResourceVersion } from '../status/progress.ts';
import type { Replica } from '../status/replica.ts';
import { Reports } from '../status/reports.ts';
import { StatusWriter } from '../status/writer.ts';
import type { Generations } from '../world/observation.ts';
import type { NodeStream, XdsNode } from '../xds/index.ts';

export interface StatusOptions {
  readonly cluster: KubernetesSource;
  readonly replica: Replica;
  readonly views: ViewSnapshots;
  readonly viewOf: (node: XdsNode) => NodeView;
  readonly nodes: () => readonly NodeStream[];
  readonly diagnostics: () => readonly Diagnostic[];
  readonly lastGood: LastGood;
  readonly lease: Lease;
  readonly inMesh: StatusInputs['inMesh'];
  /** What is remembered of hosts. */
  readonly hosts: () => Pick<Remembered, 'modes' | 'generations'>;
  readonly learn: (generations: Generations) => void;
  readonly log: Logger;
  readonly metrics: Registry;
}

/** Begins at once; `wake` it when something has changed. */
export function keepStatus(options: StatusOptions): StatusKeeper {
  const {
    cluster,
    replica,
    views,
    viewOf,
    nodes,
    diagnostics,
    lastGood,
    hosts,
    inMesh,
    lease,
    log,
    metrics,
  } = options;
  const { api } = cluster;
  const { namespace, identity } = replica;
  const wake = (): void => keeper.wake();
  const reports = new Reports({ api, namespace, identity, onChange: wake, log });
  const events = new Events({ api, identity, log });
  const writer = new StatusWriter({
    api,
    mayWrite: () => lease.isHeld,
    onFailure: wake,
    onWritten: (object, before, after) => void events.tell(object, noticesOf(before, after)),
    log,
    metrics,
  });
  const keeper = new StatusKeeper({
    lease,
    reports,
    writer,
    writeMemory: (texts) => writeMemory(api, namespace, texts),
    log,
    inputs: {
      objects: () => cluster.own(),
      isBehind: () => cluster.isBehind,
      diagnostics,
      inMesh,
      memory: () => ({ objects: lastGood.objects(cluster.own()), ...hosts() }),
      generations: () => hosts().generations,
      learn: options.learn,
      progress: () =>
        progressOf(
          nodes().map((stream) => ({
            id: stream.node.id,
            view: JSON.stringify(viewOf(stream.node)),
            objects: resourcesOf(views, viewOf(stream.node)),
            outcomeOf: ({ typeUrl, name, version }) => stream.outcomeOf(typeUrl as TypeUrl, name, version),
          })),
        ),
      views: () => [...new Set(nodes().map(({ node }) => JSON.stringify(viewOf(node))))],
      objectsOf: (view) => resourcesOf(views, JSON.parse(view) as NodeView).map(({ object }) => object),
    },
  });
  reports.start();
  keeper.wake();
  return keeper;
}

const known = new WeakMap<Snapshot, readonly ObjectResources[]>();

/** Which resources each object became in a view. */
function resourcesOf(views: ViewSnapshots, view: NodeView): readonly ObjectResources[] {
  const snapshot = views.snapshotFor(view);
  let found = known.get(snapshot);
  if (found === undefined) {
    const versionIn = (typeUrl: TypeUrl, name: string): ResourceVersion[] => {
      const version = snapshot.get(typeUrl)?.get(name)?.version;
      return version === undefined ? [] : [{ typeUrl, name, version }];
    };
    found = views.planFor(view).plan.listeners.map(({ listener }) => ({
      object: `${listener.origin.namespace}/${listener.origin.name}`,
      resources: [
        ...versionIn(LISTENER_TYPE, listener.id),
        ...upstreamsOf(listener).flatMap((id) => versionIn(CLUSTER_TYPE, id)),
      ],
    }));
    known.set(snapshot, found);
  }
  return found;
}
