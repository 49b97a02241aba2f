/**
 * Typed questions to a World, each of which notes its lookup key.
 *
 * Planning asks only through a reader; the noted keys say which changes concern what was planned.
 */
import type {
  ApiObject,
  EndpointSlice,
  RedisDestination,
  RedisService,
  Secret,
  Service,
  ServiceEntry,
} from '../api/objects.ts';
import type { ObservedMode } from './observation.ts';
import {
  destinationsKey,
  generationKey,
  entriesKey,
  namespaceKey,
  objectKey,
  observationKey,
  routersKey,
  slicesKey,
  type LookupKey,
  type World,
  type WorldOptions,
} from './world.ts';

export class WorldReader {
  readonly #world: World;
  readonly #asked: Set<LookupKey>;

  /** Adds every key it asks for to `asked`. */
  constructor(world: World, asked: Set<LookupKey>) {
    this.#world = world;
    this.#asked = asked;
  }

  get clusterDomain(): string {
    return this.#world.options.clusterDomain;
  }

  get options(): WorldOptions {
    return this.#world.options;
  }

  /** Whether a Service that is not in the World is not there. */
  knowsAllServicesOf(namespace: string): boolean {
    const { completeNamespaces = [] } = this.#world.options;
    return completeNamespaces === 'all' || completeNamespaces.includes(namespace);
  }

  redisService(namespace: string, name: string): RedisService | undefined {
    return this.#object('RedisService', namespace, name);
  }

  service(namespace: string, name: string): Service | undefined {
    return this.#object('Service', namespace, name);
  }

  secret(namespace: string, name: string): Secret | undefined {
    return this.#object('Secret', namespace, name);
  }

  /** RedisServices that route to this host. */
  routers(host: string): readonly RedisService[] {
    return this.#list('RedisService', routersKey(host));
  }

  destinations(host: string): readonly RedisDestination[] {
    return this.#list('RedisDestination', destinationsKey(host));
  }

  slices(namespace: string, serviceName: string): readonly EndpointSlice[] {
    return this.#list('EndpointSlice', slicesKey(namespace, serviceName));
  }

  /** `host` as they write it, in lower case. */
  entries(host: string): readonly ServiceEntry[] {
    return this.#list('ServiceEntry', entriesKey(host));
  }

  hasNamespace(namespace: string): boolean {
    this.#asked.add(namespaceKey(namespace));
    return this.#world.hasNamespace(namespace);
  }

  /** What the host (`HOST:PORT`) said of itself. */
  observedMode(host: string): ObservedMode | undefined {
    this.#asked.add(observationKey(host));
    return this.#world.observedMode(host);
  }

  /** How often all servers of the host (`HOST:PORT`) were replaced at once. */
  generation(host: string): number | undefined {
    this.#asked.add(generationKey(host));
    return this.#world.generation(host);
  }

  #object<K extends ApiObject['kind']>(
    kind: K,
    namespace: string,
    name: string,
  ): Extract<ApiObject, { kind: K }> | undefined {
    const key = objectKey(kind, namespace, name);
    this.#asked.add(key);
    // The kind is part of the key, so what lies under it has that kind.
    return this.#world.object(key) as Extract<ApiObject, { kind: K }> | undefined;
  }

  #list<K extends ApiObject['kind']>(_kind: K, key: LookupKey): readonly Extract<ApiObject, { kind: K }>[] {
    this.#asked.add(key);
    // Each index lists objects of one kind only.
    return this.#world.list(key) as readonly ApiObject[] as readonly Extract<ApiObject, { kind: K }>[];
  }
}
