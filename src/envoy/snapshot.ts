/**
 * A RoutingPlan as the snapshot of encoded resources that Envoys get.
 *
 * Encodes each plan object once: as long as the plan keeps an object, its resource stays the same object too.
 */
import { createHash } from 'node:crypto';

import type { SecretText } from '../api/secret-text.ts';
import type { BoundListener, Listener, RoutingPlan, Upstream } from '../plan/routing-plan.ts';
import { clusterMessage, endpointsMessage } from './cluster.ts';
import { encode } from './codec.ts';
import { listenerMessage } from './listener.ts';
import {
  CLUSTER_TYPE,
  ENDPOINTS_TYPE,
  LISTENER_TYPE,
  type Resource,
  type Snapshot,
  type TypeUrl,
} from './resource.ts';

interface UpstreamResources {
  readonly cluster: Resource;
  readonly endpoints: Resource | undefined;
}

const ofUpstream = new WeakMap<Upstream, UpstreamResources>();
/** By plan object, then by the address it is bound to. */
const ofListener = new WeakMap<Listener, Map<string, Resource>>();

/** `previous` itself where nothing changed. */
export function snapshotOf(plan: RoutingPlan, previous: Snapshot | undefined): Snapshot {
  const next = new Map<TypeUrl, Map<string, Resource>>([
    [CLUSTER_TYPE, new Map()],
    [ENDPOINTS_TYPE, new Map()],
    [LISTENER_TYPE, new Map()],
  ]);
  const add = (made: Resource | undefined): void => {
    if (made === undefined) return;
    // A changed plan object need not change every resource made of it: new endpoints leave their cluster as it was.
    const before = previous?.get(made.typeUrl)?.get(made.name);
    next.get(made.typeUrl)?.set(made.name, before?.version === made.version ? before : made);
  };
  for (const upstream of plan.upstreams.values()) {
    const { cluster, endpoints } = upstreamResources(upstream);
    add(cluster);
    add(endpoints);
  }
  for (const bound of plan.listeners) add(listenerResource(bound));
  return previous !== undefined && sameResources(previous, next) ? previous : next;
}

function upstreamResources(upstream: Upstream): UpstreamResources {
  let made = ofUpstream.get(upstream);
  if (made === undefined) {
    const message = (waitForWarm: boolean): Buffer =>
      encode(
        'envoy.config.cluster.v3.Cluster',
        clusterMessage(upstream, { write: reveal, place: 'eds', waitForWarm }),
      );
    const assignment = endpointsMessage(upstream);
    const cluster = resource(CLUSTER_TYPE, upstream.id, message(true));
    made = {
      cluster: upstream.mode === 'cluster' ? { ...cluster, initialBytes: message(false) } : cluster,
      endpoints:
        assignment &&
        resource(
          ENDPOINTS_TYPE,
          upstream.id,
          encode('envoy.config.endpoint.v3.ClusterLoadAssignment', assignment),
        ),
    };
    ofUpstream.set(upstream, made);
  }
  return made;
}

function listenerResource(bound: BoundListener): Resource {
  const { listener, bind } = bound;
  let byAddress = ofListener.get(listener);
  if (byAddress === undefined) {
    byAddress = new Map();
    ofListener.set(listener, byAddress);
  }
  const address = `${bind.address} ${bind.port}`;
  let made = byAddress.get(address);
  if (made === undefined) {
    made = resource(
      LISTENER_TYPE,
      listener.id,
      encode('envoy.config.listener.v3.Listener', listenerMessage(bound, reveal)),
    );
    byAddress.set(address, made);
  }
  return made;
}

function resource(typeUrl: TypeUrl, name: string, bytes: Buffer): Resource {
  const version = createHash('sha256').update(bytes).digest('hex').slice(0, 16);
  return { typeUrl, name, version, bytes };
}

function reveal(secret: SecretText): string {
  return secret.reveal();
}

function sameResources(a: Snapshot, b: Snapshot): boolean {
  for (const [type, resources] of b) {
    const before = a.get(type);
    if (before?.size !== resources.size) return false;
    for (const [name, made] of resources) if (before.get(name) !== made) return false;
  }
  return true;
}
