/**
 * Where EnvoyFilters of ours may be: in the namespaces that are followed, and in those that once were.
 */
import type { Diagnostic } from '../api/diagnostic.ts';
import { reasonOf } from '../sources/kubernetes/api-error.ts';
import { selectorOf } from './manifest.ts';
import { MEMORY, NamespaceMemory, type NamespaceMemoryOptions } from './namespace-memory.ts';
import type { PresentFilters } from './present-filters.ts';

/** Somebody may have taken things into their own hands, and the ConfigMap away; or have given the right to read it. */
const AGAIN_MS = 60_000;

export interface ReachOptions extends NamespaceMemoryOptions {
  readonly againMs?: number | undefined;
  readonly present: PresentFilters;
  /** More may be written, or less is left. */
  readonly onChange: () => void;
  /** It is to be tried again. */
  readonly onFailure: () => void;
}

export class Reach {
  readonly #options: ReachOptions;
  readonly #memory: NamespaceMemory;
  /** Why nothing can be remembered now. */
  #why: string | undefined;
  #again: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(options: ReachOptions) {
    this.#options = options;
    this.#memory = new NamespaceMemory(options);
  }

  /** Why nothing may be written in a namespace now. */
  problemIn(namespace: string): string | undefined {
    return this.#memory.stored?.has(namespace) === true ? undefined : this.#why;
  }

  /** `wanted`: where something is to be written; `isDue`: what has failed may be tried again. Returns where it may be by now. */
  follow(leads: boolean, wanted: Iterable<string>, isDue: boolean): ReadonlySet<string> {
    const memory = this.#memory;
    if (!leads) memory.forget();
    else if (!memory.isBusy && (isDue || this.#why === undefined)) this.#follow(new Set(wanted));
    return memory.stored ?? new Set();
  }

  /** `why`: something of that namespace can't be removed. */
  diagnostics(why: (namespace: string) => string | undefined): readonly Diagnostic[] {
    return this.#options.present.left().flatMap((namespace): readonly Diagnostic[] => {
      const problem = why(namespace);
      if (problem === undefined) return [];
      const { namespace: controlPlane } = this.#options;
      const message =
        `EnvoyFilters of namespace ${namespace}, which is followed no longer, can't be removed: ${problem}; ` +
        `give redpilot back its rights there (kubectl apply -n ${namespace} -k manifests/istio-namespaced), or run ` +
        `kubectl delete envoyfilters -n ${namespace} -l ${selectorOf(controlPlane)} and then ` +
        `kubectl delete configmap -n ${controlPlane} ${MEMORY}`;
      return [{ severity: 'warning', reason: 'EnvoyFiltersLeft', path: [], message }];
    });
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#again);
  }

  #follow(wanted: ReadonlySet<string>): void {
    const { present } = this.#options;
    const { stored } = this.#memory;
    if (stored === undefined) {
      void this.#do(this.#memory.read());
      return;
    }
    present.followLeft(stored);
    const needed = new Set(wanted);
    for (const [, { metadata }] of present.all()) needed.add(metadata.namespace ?? '');
    const left = present.left();
    // As long as it is not known what is there, something may be.
    for (const namespace of stored) if (present.whyUnknownIn(namespace) !== undefined) needed.add(namespace);
    const isMore = [...needed].some((namespace) => !stored.has(namespace));
    if (isMore || left.some((namespace) => !needed.has(namespace))) void this.#do(this.#memory.write(needed));
    else if (left.length > 0 || this.#memory.isRefused) {
      this.#again ??= setTimeout(() => {
        this.#again = undefined;
        this.#memory.forget();
        this.#options.onChange();
      }, this.#options.againMs ?? AGAIN_MS);
    }
  }

  async #do(asked: Promise<void>): Promise<void> {
    const { log, namespace, onChange, onFailure } = this.#options;
    try {
      await asked;
      this.#why = undefined;
      if (!this.#isClosed) onChange();
    } catch (error) {
      const why = `ConfigMap ${namespace}/${MEMORY} can't be read or written: ${reasonOf(error)}`;
      if (why !== this.#why) log.warn(`nothing is written to Istio, since ${why}`);
      this.#why = why;
      if (!this.#isClosed) onFailure();
    }
  }
}
