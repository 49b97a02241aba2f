/**
 * Clusters that nothing routes to any more stay in their EnvoyFilter for as long as sidecars drain connections.
 *
 * istiod takes a cluster away at once, while connections that were open keep the filter that routes to it for 45 s (Istio's
 * default). On them every command would answer "no upstream host", and a MULTI crashes Envoy 1.40: seen with a real istiod.
 * So an EnvoyFilter that is no longer wanted is first left with its clusters alone, and removed later.
 */
import {
  MANAGED_BY,
  OWNER_ANNOTATION,
  type ConfigPatch,
  type EnvoyFilterDocument,
  type FilterRef,
} from './envoy-filter.ts';
import type { EnvoyFilters } from './envoy-filters.ts';
import { proxiesIn, routedClusters, violationsOf } from './invariants.ts';
import { list, map, text, type Json } from './loose-json.ts';
import { OWN_CLUSTERS } from './patches.ts';

/** An EnvoyFilter of ours as it is in the cluster. */
export interface PresentSpec {
  /** `NAMESPACE/NAME` of the RedisService. */
  readonly owner: string | undefined;
  readonly spec: unknown;
}

interface Cluster {
  readonly patch: ConfigPatch;
  /** Since when nothing routes to it; undefined: something does. */
  readonly leftMs: number | undefined;
}

interface Followed {
  readonly owner: string;
  /** By name. */
  readonly clusters: ReadonlyMap<string, Cluster>;
}

export interface Retained {
  readonly filters: EnvoyFilters;
  /** When a cluster has stayed long enough; undefined: none stays. */
  readonly untilMs: number | undefined;
}

export class ClusterRetention {
  readonly #drainMs: number;
  readonly #priority: number;
  /** By `NAMESPACE/NAME` of the EnvoyFilter; one that somebody else removed is remembered. */
  #followed: ReadonlyMap<string, Followed> = new Map();

  constructor({ drainMs, priority }: { readonly drainMs: number; readonly priority: number }) {
    this.#drainMs = drainMs;
    this.#priority = priority;
  }

  follow(
    filters: EnvoyFilters,
    present: Iterable<readonly [key: string, filter: PresentSpec]>,
    nowMs: number,
  ): Retained {
    const there = new Map(present);
    const wanted = new Map(filters.write.map((document) => [keyOf(document), document]));
    const kept = new Set(filters.keep.map(keyOf));
    const followed = new Map<string, Followed>();
    const write: EnvoyFilterDocument[] = [];
    let untilMs: number | undefined;
    for (const key of new Set([...wanted.keys(), ...there.keys(), ...this.#followed.keys()])) {
      const document = wanted.get(key);
      const before = this.#followed.get(key);
      const owner = there.get(key)?.owner ?? before?.owner ?? '';
      const clusters = this.#look(before?.clusters ?? new Map(), document, there.get(key)?.spec, nowMs);
      if (clusters.size > 0) followed.set(key, { owner, clusters });
      if (document === undefined && kept.has(key)) continue;
      const wantedClusters = read(document?.body.spec).own;
      const left = [...clusters].filter(([name]) => !wantedClusters.has(name)).sort(byName);
      const patches = left.map(([, { patch }]) => patch);
      const written = patches.length === 0 ? document : this.#withClusters(key, owner, document, patches);
      if (written !== undefined) write.push(written);
      for (const [, { leftMs }] of left) {
        if (leftMs !== undefined) untilMs = Math.min(untilMs ?? Infinity, leftMs + this.#drainMs);
      }
    }
    this.#followed = followed;
    return { filters: { ...filters, write }, untilMs };
  }

  /** What it has, and since when that is of no use; without what has been so for long enough. */
  #look(
    before: ReadonlyMap<string, Cluster>,
    document: EnvoyFilterDocument | undefined,
    spec: unknown,
    nowMs: number,
  ): ReadonlyMap<string, Cluster> {
    const patches = new Map([...before].map(([name, { patch }]) => [name, patch]));
    const { own, routed } = read(spec);
    for (const [name, patch] of own) patches.set(name, patch);
    // As long as the EnvoyFilter that is there routes to one, sidecars do, whatever is wanted.
    const wanted = read(document?.body.spec).own;
    const clusters = new Map<string, Cluster>();
    for (const [name, patch] of patches) {
      const isUsed = wanted.has(name) || routed.has(name);
      const leftMs = isUsed ? undefined : (before.get(name)?.leftMs ?? nowMs);
      if (leftMs === undefined || nowMs - leftMs < this.#drainMs) clusters.set(name, { patch, leftMs });
    }
    return clusters;
  }

  /** undefined where there is nothing to write. */
  #withClusters(
    key: string,
    owner: string,
    document: EnvoyFilterDocument | undefined,
    left: readonly ConfigPatch[],
  ): EnvoyFilterDocument | undefined {
    const empty = this.#empty(key, owner);
    const having = (made: EnvoyFilterDocument, patches: readonly ConfigPatch[]): EnvoyFilterDocument => {
      const spec = { ...made.body.spec, configPatches: [...made.body.spec.configPatches, ...patches] };
      return { ...made, body: { ...made.body, spec } };
    };
    // What is there may have been changed by somebody else.
    const harmless = left.filter(
      (patch) => violationsOf(having(empty, [patch]).body, new Set()).length === 0,
    );
    return harmless.length === 0 ? document : having(document ?? empty, harmless);
  }

  /** Of an object that may be gone: what would go with it goes when its time has come. */
  #empty(key: string, owner: string): EnvoyFilterDocument {
    const [namespace = '', name = ''] = key.split('/');
    const [ownerNamespace = '', ownerName = ''] = owner.split('/');
    return {
      namespace,
      name,
      owner: { kind: 'RedisService', namespace: ownerNamespace, name: ownerName },
      outlivesOwner: true,
      body: {
        apiVersion: 'networking.istio.io/v1alpha3',
        kind: 'EnvoyFilter',
        metadata: { namespace, name, labels: MANAGED_BY, annotations: { [OWNER_ANNOTATION]: owner } },
        spec: { priority: this.#priority, configPatches: [] },
      },
    };
  }
}

/** What of a spec is looked at. */
interface Read {
  /** Clusters of ours, by name: somebody else may have added others. */
  readonly own: ReadonlyMap<string, ConfigPatch>;
  /** Names of clusters. */
  readonly routed: ReadonlySet<unknown>;
}

const NOTHING: Read = { own: new Map(), routed: new Set() };
const reads = new WeakMap<object, Read>();

/** Once for each object: most looks find the same ones. */
function read(spec: unknown): Read {
  if (typeof spec !== 'object' || spec === null) return NOTHING;
  let found = reads.get(spec);
  if (found === undefined) {
    const patches = list(map(spec)['configPatches']);
    const own = patches.filter(
      (patch): patch is ConfigPatch & Json =>
        patch['applyTo'] === 'CLUSTER' && nameOf(patch).startsWith(OWN_CLUSTERS),
    );
    found = {
      own: new Map(own.map((patch) => [nameOf(patch), patch])),
      routed: new Set(proxiesIn(patches).flatMap(routedClusters)),
    };
    reads.set(spec, found);
  }
  return found;
}

function nameOf(patch: Json): string {
  return text(map(map(patch['patch'])['value'])['name']);
}

function keyOf({ namespace, name }: FilterRef): string {
  return `${namespace}/${name}`;
}

function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1;
}
