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
  const clusters = new Map<string, Resource>();
  const endpoints = new Map<string, Resource>();
  const listeners = new Map<string, Resource>();
  for (const upstream of plan.upstreams.values()) {
    const resources = upstreamResources(upstream);
    clusters.set(resources.cluster.name, resources.cluster);
    if (resources.endpoints !== undefined) endpoints.set(resources.endpoints.name, resources.endpoints);
  }
  for (const bound of plan.listeners) {
    const resource = listenerResource(bound);
    listeners.set(resource.name, resource);
  }
  const next: Snapshot = new Map<TypeUrl, ReadonlyMap<string, Resource>>([
    [CLUSTER_TYPE, clusters],
    [ENDPOINTS_TYPE, endpoints],
    [LISTENER_TYPE, listeners],
  ]);
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
