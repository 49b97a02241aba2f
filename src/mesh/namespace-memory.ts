/**
 * In which namespaces EnvoyFilters of ours may be, in a ConfigMap: what stands in one that is followed no longer is taken
 * away all the same, as far as the rights there reach.
 *
 * Whoever leads reads it first, and a namespace is written down before anything is written into it.
 */
import { reasonOf } from '../sources/kubernetes/api-error.ts';
import type { ApiServer } from '../sources/kubernetes/api-server.ts';
import { isRefusal } from '../sources/kubernetes/memory.ts';

export const MEMORY = 'redpilot-istio';

export interface NamespaceMemoryOptions {
  readonly api: Pick<ApiServer, 'request'>;
  /** Of the ConfigMap. */
  readonly namespace: string;
  readonly log: { warn(message: string): void };
}

export class NamespaceMemory {
  readonly #options: NamespaceMemoryOptions;
  #stored: ReadonlySet<string> | undefined;
  /** Counts what has happened, so that an answer from before is of no use. */
  #turn = 0;
  #isBusy = false;
  #isRefused = false;

  constructor(options: NamespaceMemoryOptions) {
    this.#options = options;
  }

  /** undefined: not known, since another may have written it. */
  get stored(): ReadonlySet<string> | undefined {
    return this.#stored;
  }

  /** It is being read or written. */
  get isBusy(): boolean {
    return this.#isBusy;
  }

  forget(): void {
    this.#turn += 1;
    this.#stored = undefined;
  }

  async read(): Promise<void> {
    const { api, namespace } = this.#options;
    await this.#do(async () => {
      const found = (await api.request(`/api/v1/namespaces/${namespace}/configmaps`, {
        query: { fieldSelector: `metadata.name=${MEMORY}` },
      })) as
        | { readonly items?: readonly { readonly data?: { readonly namespaces?: string } }[] | null }
        | undefined;
      const text = found?.items?.[0]?.data?.namespaces ?? '';
      return new Set(text.split('\n').filter((name) => name !== ''));
    }, new Set());
  }

  /** Replaces what was stored. */
  async write(namespaces: ReadonlySet<string>): Promise<void> {
    const { api, namespace } = this.#options;
    await this.#do(async () => {
      await api.request(`/api/v1/namespaces/${namespace}/configmaps/${MEMORY}`, {
        method: 'PATCH',
        query: { fieldManager: 'redpilot', force: 'true' },
        contentType: 'application/apply-patch+yaml',
        body: {
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata: { name: MEMORY, namespace, labels: { 'app.kubernetes.io/part-of': 'redpilot' } },
          data: { namespaces: [...namespaces].sort().join('\n') },
        },
      });
      return namespaces;
    }, namespaces);
  }

  /** Who may not have a memory goes on without one; who gets no answer waits for one. */
  async #do(ask: () => Promise<ReadonlySet<string>>, without: ReadonlySet<string>): Promise<void> {
    this.#isBusy = true;
    const turn = (this.#turn += 1);
    const settle = (stored: ReadonlySet<string>): void => {
      if (turn === this.#turn) this.#stored = stored;
    };
    try {
      settle(await ask());
    } catch (error) {
      if (!isRefusal(error)) throw error;
      settle(without);
      if (!this.#isRefused)
        this.#options.log.warn(
          `ConfigMap ${this.#options.namespace}/${MEMORY} can't be read or written, so EnvoyFilters stay in namespaces that are followed no longer (${reasonOf(error)})`,
        );
      this.#isRefused = true;
    } finally {
      this.#isBusy = false;
    }
  }
}
