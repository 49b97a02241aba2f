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
  readonly #collections: readonly Collection[];
  #running: Promise<unknown> = Promise.resolve();

  constructor(options: PresentFiltersOptions) {
    this.#options = options;
    const namespaces = options.namespaces.length === 0 ? [undefined] : options.namespaces;
    this.#collections = namespaces.map((namespace) => this.#collection(namespace));
  }

  start(): void {
    this.#running = Promise.all(this.#collections.map(({ reflector }) => reflector.run()));
  }

  /** Each has been listed, or it is known why not. */
  get isSettled(): boolean {
    return this.#collections.every(({ state }) => state !== 'unasked');
  }

  /** Why nothing may be written in a namespace now: what is there is not known. */
  problemIn(namespace: string): string | undefined {
    const collection = this.#collections.find(
      (one) => one.namespace === undefined || one.namespace === namespace,
    );
    if (collection === undefined)
      return `the EnvoyFilters of namespace ${namespace} are not followed; write the namespace into --istio-namespaces`;
    switch (collection.state) {
      case 'following':
        return undefined;
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
    for (const { reflector } of this.#collections) reflector.stop();
    await this.#running;
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
        for (const [key, filter] of this.#filters) {
          if (namespace === undefined || filter.metadata.namespace === namespace) this.#filters.delete(key);
        }
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
    if (state !== 'following') {
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
