/**
 * The World: all objects known at a moment, with the indexes that planning asks for.
 *
 * Immutable. A change makes a new World that shares the rest and names every lookup key whose answer may have changed;
 * planning records the keys that it asked for, so the two sets together say what has to be planned again.
 */
import type { BlockList } from 'node:net';

import { hostKey } from '../api/host-name.ts';
import type {
  ApiObject,
  EndpointSlice,
  Kind,
  RedisDestination,
  RedisService,
  ServiceEntry,
} from '../api/objects.ts';
import type { Generations, ObservationChanges, ObservedMode } from './observation.ts';
import { PersistentMap } from './persistent-map.ts';

/** What planning can ask for: one object, or the objects that an index lists under a name. */
export type LookupKey = string;

/** Objects that came or changed, and objects that went, since the last report of a source. */
export interface ObjectChanges {
  readonly set: readonly ApiObject[];
  readonly deleted: readonly { readonly kind: Kind; readonly namespace: string; readonly name: string }[];
  readonly observed?: ObservationChanges;
  /** Those that changed; 0: none any more. */
  readonly generations?: Generations;
}

export interface WorldOptions {
  /** `cluster.local` */
  readonly clusterDomain: string;
  /** Where annotations may make listeners listen beyond loopback; undefined: nowhere. */
  readonly allowBind?: BlockList | undefined;
  /** Whom objects reach that do not say so: namespaces, `.` for their own; undefined: everybody. */
  readonly defaultExportTo?: readonly string[] | undefined;
  /**
   * Namespaces whose Services are all in the World: there a name of the cluster without its Service is one that is not
   * there yet, and never a DNS name. Absent: of none.
   */
  readonly completeNamespaces?: 'all' | readonly string[];
  /** Whether annotations for Istio are carried out; absent: unknown. */
  readonly withIstio?: boolean;
}

type Listed = RedisService | RedisDestination | EndpointSlice | ServiceEntry;

export class World {
  readonly options: WorldOptions;
  readonly #objects: PersistentMap<ApiObject>;
  readonly #lists: PersistentMap<readonly Listed[]>;
  /** How many objects each namespace has. */
  readonly #namespaces: PersistentMap<number>;
  /** What hosts said of themselves. */
  readonly #observed: PersistentMap<ObservedMode>;
  readonly #generations: PersistentMap<number>;

  private constructor(
    options: WorldOptions,
    objects: PersistentMap<ApiObject>,
    lists: PersistentMap<readonly Listed[]>,
    namespaces: PersistentMap<number>,
    observed: PersistentMap<ObservedMode>,
    generations: PersistentMap<number>,
  ) {
    this.options = options;
    this.#objects = objects;
    this.#lists = lists;
    this.#namespaces = namespaces;
    this.#observed = observed;
    this.#generations = generations;
  }

  static empty(options: WorldOptions): World {
    return new World(
      options,
      PersistentMap.empty(),
      PersistentMap.empty(),
      PersistentMap.empty(),
      PersistentMap.empty(),
      PersistentMap.empty(),
    );
  }

  get size(): number {
    return this.#objects.size;
  }

  object(key: LookupKey): ApiObject | undefined {
    return this.#objects.get(key);
  }

  list(key: LookupKey): readonly Listed[] {
    return this.#lists.get(key) ?? [];
  }

  hasNamespace(namespace: string): boolean {
    return (this.#namespaces.get(namespaceKey(namespace)) ?? 0) > 0;
  }

  observedMode(host: string): ObservedMode | undefined {
    return this.#observed.get(observationKey(host));
  }

  /** How often all servers of the host were replaced at once; undefined: never. */
  generation(host: string): number | undefined {
    return this.#generations.get(generationKey(host));
  }

  /** All objects, in no particular order. */
  objects(): Iterable<ApiObject> {
    return this.#objects.values();
  }

  apply(changes: ObjectChanges): { readonly world: World; readonly changed: ReadonlySet<LookupKey> } {
    const objects = new Map<string, ApiObject | undefined>();
    const lists = new Map<string, Listed[]>();
    const namespaces = new Map<string, number>();
    const changed = new Set<LookupKey>();

    const replace = (key: LookupKey, next: ApiObject | undefined): void => {
      const before = objects.has(key) ? objects.get(key) : this.#objects.get(key);
      if (before === next) return;
      objects.set(key, next);
      changed.add(key);
      if (before !== undefined) unlist(before);
      if (next !== undefined) enlist(next);
      const namespace = namespaceKey((next ?? before)?.namespace ?? '');
      const count = namespaces.get(namespace) ?? this.#namespaces.get(namespace) ?? 0;
      namespaces.set(namespace, count + (next === undefined ? 0 : 1) - (before === undefined ? 0 : 1));
    };
    const listAt = (key: LookupKey): Listed[] => {
      let list = lists.get(key);
      if (list === undefined) {
        list = [...this.list(key)];
        lists.set(key, list);
      }
      changed.add(key);
      return list;
    };
    const unlist = (object: ApiObject): void => {
      for (const key of this.#listKeys(object)) {
        const list = listAt(key);
        const at = list.findIndex((listed) => listed === object);
        if (at >= 0) list.splice(at, 1);
      }
    };
    const enlist = (object: ApiObject): void => {
      for (const key of this.#listKeys(object)) insertByName(listAt(key), object as Listed);
    };

    for (const { kind, namespace, name } of changes.deleted)
      replace(objectKey(kind, namespace, name), undefined);
    for (const object of changes.set) replace(objectKey(object.kind, object.namespace, object.name), object);
    for (const [key, count] of namespaces) {
      if (count > 0 !== (this.#namespaces.get(key) ?? 0) > 0) changed.add(key);
    }
    const observed = new Map<LookupKey, ObservedMode | undefined>();
    for (const [host, mode] of changes.observed ?? []) {
      if (this.observedMode(host) === mode) continue;
      observed.set(observationKey(host), mode);
      changed.add(observationKey(host));
    }

    const generations = new Map<LookupKey, number | undefined>();
    for (const [host, generation] of changes.generations ?? []) {
      if ((this.generation(host) ?? 0) === generation) continue;
      generations.set(generationKey(host), generation === 0 ? undefined : generation);
      changed.add(generationKey(host));
    }

    const world = new World(
      this.options,
      this.#objects.with(objects),
      this.#lists.with(new Map([...lists].map(([key, list]) => [key, list.length > 0 ? list : undefined]))),
      this.#namespaces.with(namespaces),
      this.#observed.with(observed),
      this.#generations.with(generations),
    );
    return { world, changed };
  }

  #listKeys(object: ApiObject): ReadonlySet<LookupKey> {
    const keyOf = (host: string): string => hostKey(host, object.namespace, this.options.clusterDomain);
    const keys = new Set<LookupKey>();
    switch (object.kind) {
      case 'RedisService':
        for (const rule of object.rules) keys.add(routersKey(keyOf(rule.host)));
        if (object.rules.length === 0) {
          for (const host of object.hosts) keys.add(routersKey(keyOf(host)));
        }
        break;
      case 'RedisDestination':
        for (const host of [object.host, ...(object.refused?.otherHosts ?? [])])
          keys.add(destinationsKey(keyOf(host)));
        break;
      case 'EndpointSlice':
        if (object.serviceName !== undefined) keys.add(slicesKey(object.namespace, object.serviceName));
        break;
      case 'ServiceEntry':
        for (const host of object.hosts) keys.add(entriesKey(host));
        break;
      case 'Service':
      case 'Secret':
        break;
    }
    return keys;
  }
}

export function objectKey(kind: Kind, namespace: string, name: string): LookupKey {
  return `${kind}/${namespace}/${name}`;
}

export function namespaceKey(namespace: string): LookupKey {
  return `namespace/${namespace}`;
}

/** The RedisServices that route to this host. */
export function routersKey(host: string): LookupKey {
  return `routers/${host}`;
}

export function destinationsKey(host: string): LookupKey {
  return `destinations/${host}`;
}

export function slicesKey(namespace: string, serviceName: string): LookupKey {
  return `slices/${namespace}/${serviceName}`;
}

/** The ServiceEntries of a host, by its name as they write it. */
export function entriesKey(host: string): LookupKey {
  return `entries/${host}`;
}

/** What a host said of its mode. */
export function observationKey(host: string): LookupKey {
  return `observation/${host}`;
}

/** Keeps lists in an order that does not depend on who came first. */
function insertByName(list: Listed[], object: Listed): void {
  const at = list.findIndex((listed) => compareNames(listed, object) > 0);
  list.splice(at < 0 ? list.length : at, 0, object);
}

function compareNames(a: Listed, b: Listed): number {
  if (a.namespace !== b.namespace) return a.namespace < b.namespace ? -1 : 1;
  if (a.name !== b.name) return a.name < b.name ? -1 : 1;
  return 0;
}

/** How often all servers of a host were replaced at once. */
export function generationKey(host: string): LookupKey {
  return `generation/${host}`;
}
