/**
 * Our EnvoyFilters as they are at the API server, followed in every namespace that we may write to.
 */
import type { ApiServer } from '../sources/kubernetes/api-server.ts';
import { collectionPath } from '../sources/kubernetes/kinds.ts';
import { Reflector, type ReflectorState } from '../sources/kubernetes/reflector.ts';
import { isOurs, selectorOf, type PresentFilter } from './manifest.ts';

const API_VERSION = 'networking.istio.io/v1alpha3';

export interface PresentFiltersOptions {
  readonly api: Pick<ApiServer, 'request' | 'lines'>;
  readonly controlPlane: string;
  /** Empty: all. */
  readonly namespaces: readonly string[];
  readonly onChange: () => void;
  readonly log: { info(message: string): void; warn(message: string): void };
}

interface Collection {
  readonly namespace: string | undefined;
  readonly reflector: Reflector;
  state: ReflectorState | 'unasked';
  why: string;
}

export class PresentFilters {
  readonly #options: PresentFiltersOptions;
  /** By `NAMESPACE/NAME`. */
  readonly #filters = new Map<string, PresentFilter>();
  /** By namespace; undefined: all. */
  readonly #collections = new Map<string | undefined, Collection>();
  readonly #running = new Set<Promise<void>>();

  constructor(options: PresentFiltersOptions) {
    this.#options = options;
    const namespaces = options.namespaces.length === 0 ? [undefined] : options.namespaces;
    for (const namespace of namespaces) this.#collections.set(namespace, this.#collection(namespace));
  }

  start(): void {
    for (const collection of this.#collections.values()) this.#run(collection);
  }

  /** Namespaces that are followed only for what is left there. */
  left(): readonly string[] {
    const { namespaces } = this.#options;
    return [...this.#collections.keys()].flatMap((namespace) =>
      namespace === undefined || namespaces.includes(namespace) ? [] : [namespace],
    );
  }

  /** Follows these namespaces too, and no others but those where something is left. */
  followLeft(namespaces: ReadonlySet<string>): void {
    for (const namespace of this.left()) {
      const collection = this.#collections.get(namespace);
      if (namespaces.has(namespace) || collection === undefined) continue;
      if (collection.state === 'following' && this.#hasSomeIn(namespace)) continue;
      collection.reflector.stop();
      this.#collections.delete(namespace);
      this.#dropAllIn(namespace);
    }
    if (this.#collections.has(undefined)) return;
    for (const namespace of namespaces) {
      if (this.#collections.has(namespace)) continue;
      const collection = this.#collection(namespace);
      this.#collections.set(namespace, collection);
      this.#run(collection);
    }
  }

  /** Each has been listed, or it is known why not. */
  get isSettled(): boolean {
    return [...this.#collections.values()].every(({ state }) => state !== 'unasked');
  }

  /** Why nothing may be written for an object in a namespace now. */
  whyNotIn(namespace: string): string | undefined {
    const { namespaces } = this.#options;
    return namespaces.length === 0 || namespaces.includes(namespace)
      ? this.whyUnknownIn(namespace)
      : `the EnvoyFilters of namespace ${namespace} are not followed; write the namespace into --istio-namespaces`;
  }

  /** Why it is not known what is there in a namespace, so that nothing may be done to it. */
  whyUnknownIn(namespace: string): string | undefined {
    const collection = this.#collections.get(undefined) ?? this.#collections.get(namespace);
    switch (collection?.state) {
      case 'following':
        return undefined;
      case undefined:
      case 'unasked':
        return 'the EnvoyFilters have not been listed yet';
      case 'absent':
        return 'EnvoyFilters are not known to the API server; install Istio';
      case 'forbidden':
        return `RBAC forbids to follow EnvoyFilters: ${collection.why}`;
      case 'unreachable':
        return collection.why;
    }
  }

  isForbidden(namespace: string): boolean {
    return this.#collections.get(namespace)?.state === 'forbidden';
  }

  get(key: string): PresentFilter | undefined {
    return this.#filters.get(key);
  }

  all(): Iterable<readonly [key: string, filter: PresentFilter]> {
    return this.#filters;
  }

  /** What an answer to a write says, before the watch does. */
  set(filter: PresentFilter): void {
    const key = keyOf(filter);
    if (isOurs(filter, this.#options.controlPlane)) this.#filters.set(key, filter);
    else this.#filters.delete(key);
  }

  delete(key: string): void {
    this.#filters.delete(key);
  }

  async close(): Promise<void> {
    for (const { reflector } of this.#collections.values()) reflector.stop();
    await Promise.all(this.#running);
  }

  #run({ reflector }: Collection): void {
    const running = reflector.run();
    this.#running.add(running);
    void running.finally(() => this.#running.delete(running));
  }

  #hasSomeIn(namespace: string): boolean {
    return [...this.#filters.values()].some(({ metadata }) => metadata.namespace === namespace);
  }

  #dropAllIn(namespace: string | undefined): void {
    for (const [key, { metadata }] of this.#filters) {
      if (namespace === undefined || metadata.namespace === namespace) this.#filters.delete(key);
    }
  }

  #collection(namespace: string | undefined): Collection {
    const { api, controlPlane, onChange } = this.#options;
    const reflector = new Reflector({
      api,
      path: collectionPath(API_VERSION, 'envoyfilters', namespace),
      apiVersion: API_VERSION,
      kind: 'EnvoyFilter',
      labelSelector: selectorOf(controlPlane),
      onList: (filters) => {
        this.#dropAllIn(namespace);
        for (const filter of filters) this.set(filter);
        onChange();
      },
      onSet: (filter) => {
        this.set(filter);
        onChange();
      },
      onDeleted: (filter) => {
        this.delete(keyOf(filter));
        onChange();
      },
      onState: (state, why) => this.#follow(collection, state, why),
    });
    const collection: Collection = { namespace, reflector, state: 'unasked', why: '' };
    return collection;
  }

  #follow(collection: Collection, state: ReflectorState, why: string): void {
    const { log, onChange } = this.#options;
    const before = collection.state;
    collection.state = state;
    collection.why = why;
    const where = collection.namespace === undefined ? '' : ` of namespace ${collection.namespace}`;
    const isLeft = this.left().some((namespace) => namespace === collection.namespace);
    if (isLeft && state === 'forbidden') {
      // Told of as a diagnostic, as long as it is so.
    } else if (state !== 'following') {
      const remedy = state === 'absent' ? 'install Istio' : why;
      log.warn(`EnvoyFilters${where} can't be followed and are left as they are (${remedy})`);
    } else if (before !== 'unasked') log.info(`EnvoyFilters${where} are followed again`);
    onChange();
  }
}

export function keyOf({ metadata }: PresentFilter): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`;
}

export function filterPath(namespace: string, name: string): string {
  return `${collectionPath(API_VERSION, 'envoyfilters', namespace)}/${name}`;
}
