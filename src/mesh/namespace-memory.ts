/**
 * In which namespaces EnvoyFilters of ours may be, in a ConfigMap: what stands in one that is followed no longer is taken
 * away all the same, as far as the rights there reach.
 *
 * Whoever leads reads it first, and a namespace is written down before anything is written into it.
 */
import { ApiError, reasonOf } from '../sources/kubernetes/api-error.ts';
import type { ApiServer } from '../sources/kubernetes/api-server.ts';
import { isRefusal, onlyConfigMap, type ConfigMap } from '../sources/kubernetes/memory.ts';

export const MEMORY = 'redpilot-istio';

export interface NamespaceMemoryOptions {
  readonly api: Pick<ApiServer, 'request'>;
  /** Of the ConfigMap. */
  readonly namespace: string;
  readonly log: { warn(message: string): void };
}

interface Texts {
  readonly namespaces: string;
}

export class NamespaceMemory {
  readonly #options: NamespaceMemoryOptions;
  readonly #path: string;
  #stored: ReadonlySet<string> | undefined;
  /** Of the ConfigMap as it was read or written last; undefined: there was none. */
  #version: string | undefined;
  /** Counts what has happened, so that an answer from before is of no use. */
  #turn = 0;
  #isBusy = false;
  #isRefused = false;
  #isTold = false;

  constructor(options: NamespaceMemoryOptions) {
    this.#options = options;
    this.#path = `/api/v1/namespaces/${options.namespace}/configmaps`;
  }

  /** undefined: not known, since another may have written it. */
  get stored(): ReadonlySet<string> | undefined {
    return this.#stored;
  }

  /** It is being read or written. */
  get isBusy(): boolean {
    return this.#isBusy;
  }

  /** It may not be read or written, so that what is stored here is not stored there. */
  get isRefused(): boolean {
    return this.#isRefused;
  }

  forget(): void {
    this.#turn += 1;
    this.#stored = undefined;
  }

  async read(): Promise<void> {
    await this.#do(new Set(), async () => {
      const query = { fieldSelector: `metadata.name=${MEMORY}` };
      const found = onlyConfigMap<Texts>(await this.#options.api.request(this.#path, { query }));
      this.#isRefused = false;
      const names = (found?.data?.namespaces ?? '').split('\n').filter((name) => name !== '');
      return { stored: new Set(names), version: found?.metadata?.resourceVersion };
    });
  }

  /** Replaces what was read or written last; what was not read, or is another's by now, is not written over. */
  async write(namespaces: ReadonlySet<string>): Promise<void> {
    // What is not to be remembered is forgotten at any time from here on.
    this.#stored = new Set([...(this.#stored ?? [])].filter((namespace) => namespaces.has(namespace)));
    await this.#do(namespaces, async () => {
      if (this.#isRefused) return { stored: namespaces, version: undefined };
      const found = await this.#replace([...namespaces].sort().join('\n'));
      return { stored: found && namespaces, version: found?.metadata?.resourceVersion };
    });
  }

  /** undefined: it is another one by now. */
  async #replace(text: string): Promise<ConfigMap<Texts> | undefined> {
    const { api, namespace } = this.#options;
    const version = this.#version;
    const labels = { 'app.kubernetes.io/part-of': 'redpilot' };
    const metadata = { name: MEMORY, namespace, labels, resourceVersion: version };
    const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { namespaces: text } };
    const query = { fieldManager: 'redpilot' };
    try {
      return (await (version === undefined
        ? api.request(this.#path, { method: 'POST', query, body })
        : api.request(`${this.#path}/${MEMORY}`, {
            method: 'PATCH',
            query,
            contentType: 'application/merge-patch+json',
            body,
          }))) as ConfigMap<Texts>;
    } catch (error) {
      const status = error instanceof ApiError ? error.status : 0;
      if (status === 409 || (status === 404 && version !== undefined)) return undefined;
      throw error;
    }
  }

  /** Who may not have a memory goes on without one; who gets no answer waits for one. */
  async #do(
    without: ReadonlySet<string>,
    ask: () => Promise<{
      readonly stored: ReadonlySet<string> | undefined;
      readonly version: string | undefined;
    }>,
  ): Promise<void> {
    this.#isBusy = true;
    const turn = (this.#turn += 1);
    try {
      const { stored, version } = await ask();
      if (turn !== this.#turn) return;
      this.#stored = stored;
      this.#version = version;
    } catch (error) {
      if (!isRefusal(error)) throw error;
      this.#isRefused = true;
      if (turn === this.#turn) this.#stored = without;
      this.#tellRefusal(reasonOf(error));
    } finally {
      this.#isBusy = false;
    }
  }

  #tellRefusal(why: string): void {
    if (this.#isTold) return;
    this.#isTold = true;
    const { namespace, log } = this.#options;
    log.warn(
      `ConfigMap ${namespace}/${MEMORY} can't be read or written, so EnvoyFilters stay in namespaces that are followed no longer; ` +
        `grant it (manifests/control-plane/rbac.yaml): ${why}`,
    );
  }
}
