/**
 * A RoutingPlan as the snapshot of encoded resources that Envoys get.
 *
 * Encodes each plan object once: as long as the plan keeps an object, its resource stays the same object too.
 */
import { createHash } from 'node:crypto';

import type { SecretText } from '../api/secret-text.ts';
import type { BoundListener, Listener, RoutingPlan, Upstream } from '../plan/routing-plan.ts';
import { clusterMessage } from './cluster.ts';
import { encode } from './codec.ts';
import { endpointsMessage } from './endpoints.ts';
import { listenerMessage } from './listener.ts';
import {
  CLUSTER_TYPE,
  ENDPOINTS_TYPE,
  LISTENER_TYPE,
  type Resource,
  type Snapshot,
  TYPE_URLS,
  type TypeUrl,
} from './resource.ts';
import { ResourceSet } from './resource-set.ts';

interface UpstreamResources {
  readonly cluster: Resource;
  readonly endpoints: Resource | undefined;
}

const ofUpstream = new WeakMap<Upstream, UpstreamResources>();
/** By plan object, then by the address it is bound to. */
const ofListener = new WeakMap<Listener, Map<string, Resource>>();

/** `previous` itself where nothing changed. */
export function snapshotOf(plan: RoutingPlan, previous: Snapshot | undefined): Snapshot {
  const made = new Map<TypeUrl, Map<string, Resource | undefined>>(
    TYPE_URLS.map((type) => [type, new Map()]),
  );
  const add = (resource: Resource | undefined): void => {
    if (resource !== undefined) made.get(resource.typeUrl)?.set(resource.name, resource);
  };
  for (const upstream of plan.upstreams.values()) {
    const { cluster, endpoints } = upstreamResources(upstream);
    add(cluster);
    add(endpoints);
  }
  for (const bound of plan.listeners) add(listenerResource(bound));
  const sets = TYPE_URLS.map((type): [TypeUrl, ResourceSet] => {
    const before = previous?.get(type) ?? ResourceSet.empty;
    const updates = made.get(type) ?? new Map<string, Resource | undefined>();
    for (const { name } of before.list) if (!updates.has(name)) updates.set(name, undefined);
    return [type, before.with(updates)];
  });
  const isSame = sets.every(([type, set]) => previous?.get(type) === set);
  return previous !== undefined && isSame ? previous : new Map(sets);
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
