/**
 * A RoutingPlan as the snapshot of encoded resources that Envoys get.
 *
 * Encodes each plan object once: as long as the plan keeps an object, its resource stays the same object too.
 */
import { createHash } from 'node:crypto';

import type {
  BoundListener,
  Listener,
  ListenerId,
  RoutingPlan,
  Upstream,
  UpstreamId,
} from '../plan/routing-plan.ts';
import { clusterMessage } from './cluster.ts';
import { encode } from './codec.ts';
import { endpointsMessage } from './endpoints.ts';
import { listenerMessage } from './listener.ts';
import {
  CLUSTER_TYPE,
  ENDPOINTS_TYPE,
  LISTENER_TYPE,
  type Resource,
  TYPE_URLS,
  type TypeUrl,
} from './resource.ts';
import { ResourceSet, type Snapshot } from './resource-set.ts';
import { inMessage } from './secret-place.ts';

interface UpstreamResources {
  readonly cluster: Resource;
  readonly endpoints: Resource | undefined;
}

const REVEALED = inMessage((secret) => secret.reveal());

const ofUpstream = new WeakMap<Upstream, UpstreamResources>();
/** By plan object, then by the address it is bound to: most views have one, but each node may name its own. */
const ofListener = new WeakMap<Listener, Map<string, Resource>>();
/** The oldest is forgotten where there are more. */
const MOST_ADDRESSES = 32;

interface PlanParts {
  readonly upstreams: Iterable<Upstream>;
  readonly listeners: Iterable<BoundListener>;
}

/** What of a view has changed, or is gone, where it is undefined; the rest stays. */
export interface PlanUpdates {
  readonly upstreams: ReadonlyMap<UpstreamId, Upstream | undefined>;
  readonly listeners: ReadonlyMap<ListenerId, BoundListener | undefined>;
}

/** `previous` itself where nothing changed. */
export function snapshotOf(plan: RoutingPlan, previous: Snapshot | undefined): Snapshot {
  const updates = updatesOf({ upstreams: plan.upstreams.values(), listeners: plan.listeners });
  for (const type of TYPE_URLS) {
    const ofType = updates.get(type);
    for (const { name } of previous?.get(type)?.list ?? [])
      if (ofType?.has(name) === false) ofType.set(name, undefined);
  }
  return changed(previous, updates);
}

/** The snapshot with these in the place of those with the same names; costs what they are. */
export function withUpdates(previous: Snapshot, { upstreams, listeners }: PlanUpdates): Snapshot {
  const there = <T>(map: ReadonlyMap<string, T | undefined>): T[] =>
    [...map.values()].flatMap((part) => part ?? []);
  const updates = updatesOf({ upstreams: there(upstreams), listeners: there(listeners) });
  for (const [id, upstream] of upstreams) {
    if (upstream !== undefined) continue;
    for (const type of [CLUSTER_TYPE, ENDPOINTS_TYPE] as const) updates.get(type)?.set(id, undefined);
  }
  for (const [id, bound] of listeners)
    if (bound === undefined) updates.get(LISTENER_TYPE)?.set(id, undefined);
  return changed(previous, updates);
}

type Updates = ReadonlyMap<TypeUrl, Map<string, Resource | undefined>>;

function updatesOf({ upstreams, listeners }: PlanParts): Updates {
  const clusters = new Map<string, Resource>();
  // An upstream that has none may have had some.
  const endpoints = new Map<string, Resource | undefined>();
  for (const upstream of upstreams) {
    const made = upstreamResources(upstream);
    clusters.set(upstream.id, made.cluster);
    endpoints.set(upstream.id, made.endpoints);
  }
  const ofListeners = new Map<string, Resource | undefined>(
    Array.from(listeners, (bound) => [bound.listener.id, listenerResource(bound)]),
  );
  return new Map<TypeUrl, Map<string, Resource | undefined>>([
    [CLUSTER_TYPE, clusters],
    [ENDPOINTS_TYPE, endpoints],
    [LISTENER_TYPE, ofListeners],
  ]);
}

function changed(previous: Snapshot | undefined, updates: Updates): Snapshot {
  const sets = TYPE_URLS.map((type): [TypeUrl, ResourceSet] => [
    type,
    (previous?.get(type) ?? ResourceSet.empty).with(updates.get(type) ?? new Map()),
  ]);
  const isSame = sets.every(([type, set]) => previous?.get(type) === set);
  return previous !== undefined && isSame ? previous : new Map(sets);
}

function upstreamResources(upstream: Upstream): UpstreamResources {
  let made = ofUpstream.get(upstream);
  if (made === undefined) {
    const message = (waitForWarm: boolean): Buffer =>
      encode(
        'envoy.config.cluster.v3.Cluster',
        clusterMessage(upstream, { secrets: REVEALED, place: 'eds', waitForWarm }),
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
      encode('envoy.config.listener.v3.Listener', listenerMessage(bound, REVEALED)),
    );
    byAddress.set(address, made);
    const [oldest] = byAddress.keys();
    if (byAddress.size > MOST_ADDRESSES && oldest !== undefined) byAddress.delete(oldest);
  }
  return made;
}

function resource(typeUrl: TypeUrl, name: string, bytes: Buffer): Resource {
  const version = createHash('sha256').update(bytes).digest('hex').slice(0, 16);
  return { typeUrl, name, version, bytes };
}
