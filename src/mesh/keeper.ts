/**
 * Keeps the EnvoyFilters in the cluster as the plans want them.
 *
 * Every replica compares; only the leader writes. A failure takes nothing away: what was not written is tried again, and
 * only what is known to have lost its RedisService is removed.
 */
import { Counter, type Registry } from 'prom-client';

import type { Diagnostic } from '../api/diagnostic.ts';
import type { EnvoyFilterBody, FilterRef } from '../istio/envoy-filter.ts';
import { ClusterRetention } from '../istio/retention.ts';
import { reasonOf } from '../sources/kubernetes/api-error.ts';
import type { ApiServer } from '../sources/kubernetes/api-server.ts';
import { Backoff } from '../sources/backoff.ts';
import {
  differencesOf,
  isForgotten,
  isThere,
  type Apply,
  type Differences,
  type Wanted,
  type Written,
} from './differences.ts';
import { Handovers } from './handover.ts';
import { ownerOf, type PresentFilter } from './manifest.ts';
import { PresentFilters } from './present-filters.ts';
import { Reach } from './reach.ts';
import { ForeignFilter, applyFilter, removeFilter } from './writes.ts';

export interface MeshOptions {
  readonly api: Pick<ApiServer, 'request' | 'lines'>;
  /** The namespace of our Lease. */
  readonly controlPlane: string;
  /** Whose EnvoyFilters are followed; empty: all. */
  readonly namespaces: readonly string[];
  /** Those of this one reach every sidecar. */
  readonly rootNamespace: string;
  /** Asked before each write. */
  readonly mayWrite: () => boolean;
  readonly wanted: (
    present: (filter: FilterRef) => EnvoyFilterBody['spec'] | undefined,
    all: () => ReturnType<PresentFilters['all']>,
  ) => Wanted;
  /** How long clusters stay that nothing routes to any more. */
  readonly drainMs: number;
  /** How long what could not be remembered, or removed, waits to be looked at again. */
  readonly againMs?: number | undefined;
  readonly priority: number;
  /** Takes passwords out of what is told. */
  readonly redact: (text: string) => string;
  /** What `outcomeOf` or `diagnostics` say has changed. */
  readonly onChange: () => void;
  readonly log: { info(message: string): void; warn(message: string): void };
  readonly metrics?: Registry | undefined;
}

/** How far the EnvoyFilters of one RedisService are. */
export interface MeshOutcome {
  /** `NAMESPACE/NAME` of those that are there as they should be. */
  readonly written: readonly string[];
  /** Why another is not; undefined where none is missing. */
  readonly pending: string | undefined;
  /** Why one stays that says something older; undefined where none does. */
  readonly kept: string | undefined;
}

/** What comes in one go is one look; and looking takes no more than a fourth of the time. */
const GATHER_MS = 50;
const REST = 3;
const AT_ONCE = 10;

interface Problem {
  readonly why: string;
  readonly isForeign: boolean;
}

type Task = { readonly apply: Apply } | { readonly remove: PresentFilter };

export class MeshKeeper {
  readonly #options: MeshOptions;
  readonly #present: PresentFilters;
  readonly #backoff = new Backoff();
  readonly #writes: Counter<'action'> | undefined;
  #differences: Differences | undefined;
  #ofTranslation: readonly Diagnostic[] = [];
  /** By EnvoyFilter: why the last attempt failed. */
  readonly #problems = new Map<string, Problem>();
  readonly #written = new Map<string, Written>();
  /** By RedisService. */
  #outcomes: ReadonlyMap<string, MeshOutcome> = new Map();
  #queue = new Map<string, Task>();
  /** With the spec that is being written. */
  readonly #busy = new Map<string, unknown>();
  /** By EnvoyFilter: what must happen first, as a clause. */
  #waiting: ReadonlyMap<string, string> = new Map();
  readonly #reach: Reach;
  readonly #retention: ClusterRetention;
  #timer: NodeJS.Timeout | undefined;
  #drained: NodeJS.Timeout | undefined;
  #retry: NodeJS.Timeout | undefined;
  readonly #warned = new Set<string>();
  #isClosed = false;
  #lookMs = 0;
  #fault = '';
  #told = '';

  constructor(options: MeshOptions) {
    this.#options = options;
    this.#retention = new ClusterRetention(options);
    const { api, controlPlane, namespaces, againMs, log } = options;
    const onChange = (): void => this.wake();
    const present = new PresentFilters({ api, controlPlane, namespaces, log, onChange });
    const onFailure = (): void => this.#retryLater();
    const namespace = controlPlane;
    this.#reach = new Reach({ api, namespace, againMs, present, log, onChange, onFailure });
    this.#present = present;
    this.#writes =
      options.metrics &&
      new Counter({
        name: 'redpilot_istio_writes_total',
        help: 'EnvoyFilters applied and removed',
        labelNames: ['action'],
        registers: [options.metrics],
      });
  }

  start(): void {
    this.#present.start();
    this.wake();
  }

  /** Plans, objects, or who may write have changed. */
  wake(): void {
    if (this.#isClosed) return;
    this.#timer ??= setTimeout(
      () => {
        this.#timer = undefined;
        const startedMs = performance.now();
        this.#tryLook();
        this.#lookMs = performance.now() - startedMs;
      },
      Math.max(GATHER_MS, REST * this.#lookMs),
    );
  }

  /** What is there has been compared with what is wanted. */
  get isSettled(): boolean {
    return this.#differences !== undefined;
  }

  /** Of a RedisService, `NAMESPACE/NAME`; undefined: it has none. */
  outcomeOf(owner: string): MeshOutcome | undefined {
    return this.#outcomes.get(owner);
  }

  diagnostics(): readonly Diagnostic[] {
    const foreign = [...(this.#differences?.apply ?? [])].flatMap(
      ([key, { owner }]): readonly Diagnostic[] => {
        const problem = this.#problems.get(key);
        if (problem?.isForeign !== true) return [];
        const [namespace = '', name = ''] = owner.split('/');
        const object = { kind: 'RedisService', namespace, name };
        return [{ severity: 'error', reason: 'EnvoyFilterConflict', object, path: [], message: problem.why }];
      },
    );
    return [...this.#ofTranslation, ...foreign, ...this.#reach.diagnostics((left) => this.#whyLeft(left))];
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    for (const timer of [this.#timer, this.#retry, this.#drained]) clearTimeout(timer);
    this.#queue.clear();
    this.#reach.close();
    await this.#present.close();
  }

  #whyNot(key: string): string | undefined {
    const namespace = namespaceOf(key);
    return (
      this.#present.whyNotIn(namespace) ??
      this.#reach.problemIn(namespace) ??
      this.#problems.get(key)?.why ??
      this.#waiting.get(key)
    );
  }

  #whyLeft(namespace: string): string | undefined {
    if (this.#present.isForbidden(namespace)) return this.#present.whyUnknownIn(namespace);
    const [, problem] = [...this.#problems].find(([key]) => key.startsWith(`${namespace}/`)) ?? [];
    return problem?.why;
  }

  /** A fault of ours leaves the EnvoyFilters as they are, and all else that the process serves. */
  #tryLook(): void {
    try {
      this.#look();
      this.#fault = '';
    } catch (error) {
      const fault = `EnvoyFilters are left as they are, since they could not be compared: ${String(error)}`;
      if (fault !== this.#fault) this.#options.log.warn(this.#options.redact(fault));
      this.#fault = fault;
    }
  }

  #look(): void {
    const { wanted, controlPlane, mayWrite } = this.#options;
    if (!this.#present.isSettled) return;
    const asked = wanted(
      ({ namespace, name }) => {
        const filter = this.#present.get(`${namespace}/${name}`);
        return filter?.spec as EnvoyFilterBody['spec'] | undefined;
      },
      () => this.#present.all(),
    );
    const now = { ...asked, filters: this.#withDraining(asked) };
    const differences = differencesOf(now, this.#present.all(), this.#written, controlPlane);
    this.#differences = differences;
    this.#ofTranslation = now.filters.diagnostics;
    for (const key of this.#problems.keys()) {
      if (!differences.apply.has(key) && !differences.remove.has(key)) this.#problems.delete(key);
    }
    for (const key of this.#written.keys()) {
      if (isForgotten(key, differences, this.#present)) this.#written.delete(key);
    }
    // What is just being written may be there already.
    const namespaces = [...differences.apply.keys(), ...this.#busy.keys()]
      .map(namespaceOf)
      .filter((namespace) => this.#present.whyNotIn(namespace) === undefined);
    const reached = this.#reach.follow(mayWrite(), namespaces, this.#retry === undefined);
    this.#queue = mayWrite() ? this.#tasksOf(differences, reached) : new Map();
    // What has failed waits for its time.
    if (this.#retry === undefined) this.#next();
    else this.#next((key) => !this.#problems.has(key));
    this.#tell();
  }

  /** What can be done now. `reached`: where something may be written. */
  #tasksOf({ apply, remove }: Differences, reached: ReadonlySet<string>): Map<string, Task> {
    const there = [...this.#present.all()].map(([key, { spec }]) => ({
      key,
      namespace: namespaceOf(key),
      spec,
    }));
    const coming = [...this.#busy].map(([key, spec]) => ({ key, namespace: namespaceOf(key), spec }));
    const handovers = new Handovers([...there, ...coming], this.#options.rootNamespace);
    const waiting = new Map<string, string>();
    const tasks = new Map<string, Task>();
    for (const [key, { manifest, replaces, ...rest }] of apply) {
      const namespace = namespaceOf(key);
      const { isGoing } = rest;
      const why = isGoing ? this.#present.whyUnknownIn(namespace) : this.#present.whyNotIn(namespace);
      if (why !== undefined || !reached.has(namespace)) continue;
      const now = handovers.of(manifest, replaces?.spec);
      if (now.waitsFor !== undefined) {
        waiting.set(key, now.waitsFor);
        if (isThere(replaces, now.manifest, this.#written.get(key))) continue;
      }
      tasks.set(key, { apply: { ...rest, manifest: now.manifest, replaces } });
    }
    for (const [key, filter] of remove) {
      if (this.#present.whyUnknownIn(namespaceOf(key)) === undefined) tasks.set(key, { remove: filter });
    }
    this.#waiting = waiting;
    return tasks;
  }

  /** With what sidecars still have connections for. */
  #withDraining(asked: Wanted): Wanted['filters'] {
    const nowMs = performance.now();
    const present = [...this.#present.all()].map(
      ([key, filter]) => [key, { owner: ownerOf(filter), spec: filter.spec }] as const,
    );
    const retained = this.#retention.follow(asked.filters, present, nowMs);
    clearTimeout(this.#drained);
    if (retained.untilMs !== undefined && !this.#isClosed)
      this.#drained = setTimeout(() => this.wake(), retained.untilMs - nowMs);
    return retained.filters;
  }

  #next(isDue: (key: string) => boolean = () => true): void {
    for (const [key, task] of this.#queue) {
      if (this.#busy.size >= AT_ONCE) return;
      if (this.#busy.has(key) || !isDue(key)) continue;
      this.#queue.delete(key);
      this.#busy.set(key, 'apply' in task ? task.apply.manifest.spec : undefined);
      void this.#do(key, task).finally(() => {
        this.#busy.delete(key);
        this.wake();
      });
    }
  }

  async #do(key: string, task: Task): Promise<void> {
    const { api, controlPlane, mayWrite, log, redact } = this.#options;
    if (!mayWrite()) return;
    try {
      if ('apply' in task) {
        const { manifest, replaces } = task.apply;
        const warn = (text: string): void => this.#warn(redact(text));
        const filter = await applyFilter({ api, manifest, replaces, controlPlane, onWarning: warn });
        this.#present.set(filter);
        const { resourceVersion } = filter.metadata;
        this.#written.set(key, { manifest, resourceVersion });
        log.info(`EnvoyFilter ${key} of RedisService ${task.apply.owner} is written`);
      } else {
        await removeFilter(api, task.remove);
        this.#present.delete(key);
        this.#written.delete(key);
        log.info(`EnvoyFilter ${key} is removed`);
      }
      this.#writes?.inc({ action: 'apply' in task ? 'apply' : 'remove' });
      this.#problems.delete(key);
      this.#backoff.reset();
    } catch (error) {
      const why = reasonOf(error, redact);
      if (this.#problems.get(key)?.why !== why) log.warn(`EnvoyFilter ${key} was not written: ${why}`);
      this.#problems.set(key, { why, isForeign: error instanceof ForeignFilter });
      this.#retryLater();
    }
  }

  #retryLater(): void {
    if (this.#isClosed) return;
    this.#retry ??= setTimeout(() => {
      this.#retry = undefined;
      this.wake();
    }, this.#backoff.next());
  }

  /** Istio has the same one for every EnvoyFilter. */
  #warn(text: string): void {
    if (this.#warned.has(text)) return;
    this.#warned.add(text);
    this.#options.log.warn(`the API server warns of an EnvoyFilter: ${text}`);
  }

  #tell(): void {
    if (this.#differences === undefined) return;
    this.#outcomes = this.#outcomesOf(this.#differences);
    const said = JSON.stringify([[...this.#outcomes], this.diagnostics()]);
    if (said === this.#told) return;
    this.#told = said;
    this.#options.onChange();
  }

  #outcomesOf({ settled, kept, apply }: Differences): ReadonlyMap<string, MeshOutcome> {
    const outcomes = new Map<string, MeshOutcome>();
    const before = (owner: string): MeshOutcome =>
      outcomes.get(owner) ?? { written: [], pending: undefined, kept: undefined };
    for (const [key, owner] of settled) {
      const outcome = before(owner);
      const because = kept.get(key);
      if (because === undefined) outcomes.set(owner, { ...outcome, written: [...outcome.written, key] });
      else {
        const why = `EnvoyFilter ${key} stays as an earlier version of the object wanted it: ${because}`;
        outcomes.set(owner, { ...outcome, kept: outcome.kept ?? why });
      }
    }
    for (const [key, { owner }] of apply) {
      const outcome = before(owner);
      const why = `EnvoyFilter ${key}: ${this.#whyNot(key) ?? 'it is being written'}`;
      outcomes.set(owner, { ...outcome, pending: outcome.pending ?? why });
    }
    return outcomes;
  }
}

function namespaceOf(key: string): string {
  return key.split('/')[0] ?? '';
}
