/** An API server that knows EnvoyFilters and ConfigMaps; its watches stay silent. */
import type { PresentFilter } from '../../src/mesh/manifest.ts';
import { ApiError } from '../../src/sources/kubernetes/api-error.ts';
import type { ApiRequest, Lines } from '../../src/sources/kubernetes/api-server.ts';

interface ConfigMap {
  readonly metadata: { readonly name?: string; readonly resourceVersion?: string };
  readonly data: Readonly<Record<string, string>>;
}

export class FilterStore {
  /** By `NAMESPACE/NAME`. */
  readonly filters = new Map<string, PresentFilter>();
  /** By name. */
  readonly configMaps = new Map<string, Readonly<Record<string, string>>>();
  /** `METHOD NAMESPACE/NAME`, of a ConfigMap `METHOD configmap NAME`; refused ones too. */
  readonly writes: string[] = [];
  /** Asked before each request with the same words; of a list with `GET NAMESPACE/`. */
  refuse: (what: string) => ApiError | undefined = () => undefined;
  /** A write is done once this has resolved; asked with the same words. */
  hold: (what: string) => Promise<void> | undefined = () => undefined;
  /** What an admission webhook says of each write. */
  warning: string | undefined;
  /** What is made of a spec. */
  storeAs: (spec: unknown) => unknown = (spec) => spec;
  #version = 0;
  readonly #versions = new WeakMap<object, string>();

  async request(path: string, options: ApiRequest = {}): Promise<unknown> {
    const { method = 'GET', body, onWarning } = options;
    const isConfigMap = path.includes('/configmaps');
    const [, namespace = '', name = ''] =
      /(?:\/namespaces\/([^/]+))?\/(?:envoyfilters|configmaps)(?:\/(.*))?$/.exec(path) ?? [];
    const key = isConfigMap ? `configmap ${name}` : `${namespace}/${name}`;
    if (method !== 'GET') this.writes.push(`${method} ${key}`);
    const refusal = this.refuse(`${method} ${key}`);
    if (refusal !== undefined) throw refusal;
    if (method !== 'GET') await this.hold(`${method} ${key}`);
    if (isConfigMap) return this.#configMap(method, name, body);
    if (method === 'GET' && name === '') {
      const items = [...this.filters.values()].filter(
        ({ metadata }) => namespace === '' || metadata.namespace === namespace,
      );
      return { items, metadata: { resourceVersion: '1' } };
    }
    const found = this.filters.get(key);
    if (method === 'GET') {
      if (found === undefined) throw new ApiError(404, 'NotFound', 'not found');
      return found;
    }
    if (this.warning !== undefined) onWarning?.(this.warning);
    if (method === 'DELETE') {
      this.filters.delete(key);
      return {};
    }
    const { metadata, spec } = body as PresentFilter;
    const { resourceVersion } = metadata;
    if (resourceVersion !== undefined && resourceVersion !== found?.metadata.resourceVersion)
      throw new ApiError(409, 'Conflict', 'it was changed');
    this.#version += 1;
    const managedFields = [{ manager: 'redpilot', operation: 'Apply' }];
    const filter = {
      metadata: { ...metadata, uid: `of ${key}`, resourceVersion: String(this.#version), managedFields },
      spec: this.storeAs(spec),
    };
    this.filters.set(key, filter);
    return filter;
  }

  async lines(_path: string, { signal }: ApiRequest, { onOpen }: Lines): Promise<void> {
    onOpen?.();
    await new Promise((_resolve, reject) => {
      signal?.addEventListener('abort', () => reject(new Error('stopped')));
    });
  }

  #configMap(method: string, name: string, body: unknown): unknown {
    if (method === 'GET') {
      const items = [...this.configMaps.values()].map((data) => ({
        metadata: { resourceVersion: this.#versions.get(data) },
        data,
      }));
      return { items };
    }
    const { metadata, data } = body as ConfigMap;
    const found = this.configMaps.get(metadata.name ?? name);
    if (method === 'POST' && found !== undefined) throw new ApiError(409, 'AlreadyExists', 'it exists');
    if (method === 'PATCH' && found === undefined) throw new ApiError(404, 'NotFound', 'not found');
    if (method === 'PATCH' && metadata.resourceVersion !== this.#versions.get(found ?? {}))
      throw new ApiError(409, 'Conflict', 'it was changed');
    this.#version += 1;
    const now = { ...data };
    this.#versions.set(now, String(this.#version));
    this.configMaps.set(metadata.name ?? name, now);
    return { metadata: { resourceVersion: String(this.#version) }, data: now };
  }
}
