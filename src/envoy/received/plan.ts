/**
 * The resources that a control plane has sent, as a RoutingPlan: the inverse of `snapshot.ts`.
 *
 * A resource that is refused changes nothing: its last good version stays. What says the same as before stays the same object,
 * so that an upstream keeps its connections, and a listener's clients need not wait for their answers.
 */
import {
  routesOf,
  type BoundListener,
  type Listener,
  type RoutingPlan,
  type Upstream,
  type UpstreamId,
} from '../../plan/routing-plan.ts';
import { reuse } from '../../plan/same-content.ts';
import { decode, encode, type MessageName, type Messages } from '../codec.ts';
import type { Cluster } from '../protos/envoy/config/cluster/v3/Cluster.ts';
import type { ClusterLoadAssignment } from '../protos/envoy/config/endpoint/v3/ClusterLoadAssignment.ts';
import { CLUSTER_TYPE, ENDPOINTS_TYPE, LISTENER_TYPE, type TypeUrl } from '../resource.ts';
import { listenerFromEnvoy } from './listener.ts';
import { CannotHonour, refuse } from './reading.ts';
import { endpointsName, upstreamFromEnvoy } from './upstream.ts';

/** A resource without its Any. */
export interface ReceivedBytes {
  readonly name: string;
  readonly bytes: Uint8Array;
}

interface ReceivedCluster {
  readonly cluster: Cluster;
  readonly upstream: Upstream | undefined;
}

export class ReceivedPlan {
  readonly #clusters = new Map<UpstreamId, ReceivedCluster>();
  readonly #endpoints = new Map<string, ClusterLoadAssignment>();
  readonly #listeners = new Map<string, BoundListener>();
  /** As they were in the last plan. */
  #planned: ReadonlyMap<string, BoundListener> = new Map();

  /** Returns what is refused and why, by name; everything else is in the plan from now on. */
  apply(
    typeUrl: TypeUrl,
    changed: readonly ReceivedBytes[],
    removed: readonly string[],
  ): ReadonlyMap<string, string> {
    const problems = new Map<string, string>();
    for (const name of removed) this.#remove(typeUrl, name);
    for (const resource of changed) {
      try {
        this.#set(typeUrl, resource);
      } catch (error) {
        if (!(error instanceof CannotHonour)) throw error;
        problems.set(resource.name, error.message);
      }
    }
    return problems;
  }

  /** Whose endpoints are in resources of their own. */
  endpointsNames(): ReadonlySet<string> {
    return new Set([...this.#clusters.values()].flatMap(({ cluster }) => endpointsName(cluster) ?? []));
  }

  /** Whose of them have not come yet. */
  missingEndpoints(): readonly string[] {
    return [...this.endpointsNames()].filter((name) => !this.#endpoints.has(name));
  }

  plan(): RoutingPlan {
    const upstreams = new Map<UpstreamId, Upstream>();
    for (const [id, { upstream }] of this.#clusters) if (upstream !== undefined) upstreams.set(id, upstream);
    const before = this.#planned;
    this.#planned = new Map(
      Array.from(this.#listeners, ([name, { bind, listener }]) => [
        name,
        reuse(before.get(name), { bind, listener: withUpstreams(listener, upstreams) }),
      ]),
    );
    return { upstreams, listeners: [...this.#planned.values()] };
  }

  #set(typeUrl: TypeUrl, { name, bytes }: ReceivedBytes): void {
    switch (typeUrl) {
      case CLUSTER_TYPE: {
        const cluster = read('envoy.config.cluster.v3.Cluster', bytes);
        this.#clusters.set(name, this.#received(name, cluster));
        return;
      }
      case ENDPOINTS_TYPE: {
        const assignment = read('envoy.config.endpoint.v3.ClusterLoadAssignment', bytes);
        const before = this.#endpoints.get(name);
        this.#endpoints.set(name, assignment);
        try {
          this.#endpointsChanged(name);
        } catch (error) {
          if (before === undefined) this.#endpoints.delete(name);
          else this.#endpoints.set(name, before);
          throw error;
        }
        return;
      }
      case LISTENER_TYPE: {
        const bound = listenerFromEnvoy(read('envoy.config.listener.v3.Listener', bytes));
        if (bound === undefined) this.#listeners.delete(name);
        else this.#listeners.set(name, bound);
      }
    }
  }

  #remove(typeUrl: TypeUrl, name: string): void {
    if (typeUrl === CLUSTER_TYPE) {
      this.#clusters.delete(name);
      const names = this.endpointsNames();
      for (const held of this.#endpoints.keys()) if (!names.has(held)) this.#endpoints.delete(held);
    } else if (typeUrl === LISTENER_TYPE) {
      this.#listeners.delete(name);
    } else if (!this.#endpoints.has(name)) {
      // There are none. Those that were there go with their cluster only.
      this.#endpoints.set(name, { cluster_name: name });
      this.#endpointsChanged(name);
    }
  }

  #received(name: string, cluster: Cluster): ReceivedCluster {
    const own = endpointsName(cluster);
    const before = this.#clusters.get(name)?.upstream;
    const assignment = own === undefined ? (cluster.load_assignment ?? {}) : this.#endpoints.get(own);
    // Until its endpoints are there, what was before goes on.
    const upstream =
      assignment === undefined ? before : reuse(before, upstreamFromEnvoy(cluster, assignment));
    return { cluster, upstream };
  }

  #endpointsChanged(name: string): void {
    // All of them first: one that refuses leaves the others as they were, too.
    const changed = [...this.#clusters]
      .filter(([, { cluster }]) => endpointsName(cluster) === name)
      .map(([id, { cluster }]) => [id, this.#received(id, cluster)] as const);
    for (const [id, received] of changed) this.#clusters.set(id, received);
  }
}

/** What of a listener only its upstreams tell. */
function withUpstreams(listener: Listener, upstreams: ReadonlyMap<UpstreamId, Upstream>): Listener {
  const used = routesOf(listener).flatMap(({ upstream }) => upstreams.get(upstream) ?? []);
  return {
    ...listener,
    leadsToPlainServers: used.some(({ mode }) => mode === 'proxy'),
  };
}

function read<N extends MessageName>(name: N, bytes: Uint8Array): Messages[N] {
  let message;
  try {
    message = decode(name, bytes);
  } catch {
    return refuse(`it is not an ${name}`);
  }
  // Our messages are a subset of Envoy's: what is left over after decoding is not in it.
  if (encode(name, message).length !== bytes.length)
    refuse('it has settings that this redpilot does not know; upgrade it, or remove them');
  return message;
}
