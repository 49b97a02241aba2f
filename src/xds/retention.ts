/**
 * Clusters that are gone from the snapshot but stay served on one stream, because its listeners may still use them.
 *
 *   gone ──> listeners of that moment acknowledged ──> node has drained ──> released: the next response is without it
 *
 * Envoy 1.40 takes the removal of a cluster that is in use without a word and answers its commands with "no upstream
 * host"; connections of a replaced listener go on using it for the whole drain time. Listeners whose change is refused, or
 * never acknowledged, keep the cluster; one that was refused from the first uses none, or a port that stays taken would keep
 * every cluster to come. Who asks for no listeners is given the drain time alone. Where only the cluster's name is known (a
 * client that reconnected to a fresh server) nothing can be sent, but its removal is withheld; in the state of the world,
 * where absence is removal, it goes at once.
 *
 * Endpoints are taken to bear the name of their cluster.
 */
import {
  CLUSTER_TYPE,
  ENDPOINTS_TYPE,
  LISTENER_TYPE,
  type Resource,
  type TypeUrl,
} from '../envoy/resource.ts';
import { ResourceSet, type Snapshot } from '../envoy/resource-set.ts';
import type { Variant } from './requests.ts';
import type { Served } from './served.ts';

interface Kept {
  readonly cluster: Resource | undefined;
  readonly endpoints: Resource | undefined;
  /** Number of the snapshot from which on it was gone. */
  readonly goneSince: number;
  /** undefined: its listeners are not acknowledged yet. */
  drainedMs: number | undefined;
}

const NOTHING: ReadonlySet<string> = new Set();

/** Sets with what is kept beside them, by names and versions of the latter: the same object for all streams. */
const enlarged = new WeakMap<ResourceSet, Map<string, ResourceSet>>();

export class Retention {
  readonly #drainMs: number;
  readonly #canWithhold: boolean;
  readonly #kept = new Map<string, Kept>();
  /** Released, and possibly still held by the client for as long as a response is on its way. */
  readonly #released = new Set<string>();

  constructor(drainMs: number, variant: Variant) {
    this.#drainMs = drainMs;
    this.#canWithhold = variant === 'delta';
  }

  get isEmpty(): boolean {
    return this.#kept.size + this.#released.size === 0;
  }

  /** Keeps what the client holds and the snapshot lacks; `before` is what was served until now. */
  keep(
    gone: readonly string[],
    snapshot: Snapshot,
    before: (type: TypeUrl) => ResourceSet,
    sequence: number,
  ): void {
    const clusters = snapshot.get(CLUSTER_TYPE) ?? ResourceSet.empty;
    for (const name of this.#kept.keys()) if (clusters.has(name)) this.#kept.delete(name);
    for (const name of this.#released) if (!gone.includes(name)) this.#released.delete(name);
    for (const name of gone) {
      if (this.#kept.has(name) || this.#released.has(name)) continue;
      const cluster = before(CLUSTER_TYPE).get(name);
      if (cluster === undefined && !this.#canWithhold) continue;
      this.#kept.set(name, {
        cluster,
        endpoints: before(ENDPOINTS_TYPE).get(name),
        goneSince: sequence,
        drainedMs: undefined,
      });
    }
  }

  /** The client has begun to ask for listeners: what it uses depends on these from now on. */
  listenersAskedFor(): void {
    for (const kept of this.#kept.values()) kept.drainedMs = undefined;
  }

  /** Lets go of what is drained; returns whether it did. `confirmed` is the newest snapshot whose listeners were taken. */
  release(nowMs: number, confirmed: number): boolean {
    if (this.#kept.size === 0) return false;
    let isAnyReleased = false;
    for (const [name, kept] of this.#kept) {
      if (kept.drainedMs === undefined && confirmed >= kept.goneSince) kept.drainedMs = nowMs + this.#drainMs;
      if (kept.drainedMs === undefined || nowMs < kept.drainedMs) continue;
      this.#kept.delete(name);
      this.#released.add(name);
      isAnyReleased = true;
    }
    return isAnyReleased;
  }

  served(type: TypeUrl, snapshot: Snapshot, sequence: number): Served {
    const own = snapshot.get(type) ?? ResourceSet.empty;
    if (type === LISTENER_TYPE || this.#kept.size === 0)
      return { resources: own, withheld: NOTHING, sequence };
    const withheld = new Set<string>();
    const added = new Map<string, Resource>();
    for (const [name, { cluster, endpoints }] of this.#kept) {
      const resource = type === CLUSTER_TYPE ? cluster : endpoints;
      if (own.has(name)) continue;
      if (resource === undefined) withheld.add(name);
      else added.set(name, resource);
    }
    return { resources: enlarge(own, added), withheld, sequence };
  }

  wakeAt(): number | undefined {
    if (this.#kept.size === 0) return undefined;
    const times = [...this.#kept.values()].flatMap(({ drainedMs }) => drainedMs ?? []);
    return times.length > 0 ? Math.min(...times) : undefined;
  }
}

function enlarge(set: ResourceSet, added: ReadonlyMap<string, Resource>): ResourceSet {
  if (added.size === 0) return set;
  const known = enlarged.get(set) ?? new Map<string, ResourceSet>();
  enlarged.set(set, known);
  const key = Array.from(added.values(), ({ name, version }) => `${name}\0${version}`).join();
  let larger = known.get(key);
  if (larger === undefined) {
    larger = set.with(added);
    known.set(key, larger);
  }
  return larger;
}
