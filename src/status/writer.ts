/**
 * Writes the conditions of objects, by server-side apply, only where they say something else than what is there.
 */
import { Counter, type Registry } from 'prom-client';

import { ApiError, reasonOf } from '../sources/kubernetes/api-error.ts';
import type { ApiServer } from '../sources/kubernetes/api-server.ts';
import type { KnownObject } from '../sources/kubernetes/held-objects.ts';
import { collectionPath, WATCHED_KINDS } from '../sources/kubernetes/kinds.ts';
import type { RawObject } from '../sources/kubernetes/reflector.ts';
import { isOurs, sameConditions, type Condition } from './conditions.ts';

export interface WriterOptions {
  readonly api: Pick<ApiServer, 'request'>;
  /** Asked before each write. */
  readonly mayWrite: () => boolean;
  /** Something was not written and should be tried again. */
  readonly onFailure: () => void;
  readonly onWritten: (
    object: KnownObject,
    before: readonly Condition[],
    after: readonly Condition[],
  ) => void;
  readonly log: { warn(message: string): void };
  readonly metrics?: Registry | undefined;
}

const AT_ONCE = 10;
/** Until then the watch should have shown what was written. */
const ECHO_MS = 10_000;

interface Written {
  readonly conditions: readonly Condition[];
  readonly atMs: number;
}

interface Write {
  readonly object: KnownObject;
  readonly conditions: readonly Condition[];
}

export class StatusWriter {
  readonly #options: WriterOptions;
  /** By uid, the oldest first: what was written and may not have come back yet. */
  readonly #written = new Map<string, Written>();
  readonly #queue = new Map<string, Write>();
  #writing = 0;
  #problem = '';
  readonly #writes: Counter | undefined;

  constructor(options: WriterOptions) {
    this.#options = options;
    this.#writes =
      options.metrics &&
      new Counter({
        name: 'redpilot_status_writes_total',
        help: 'Writes of the status of objects',
        registers: [options.metrics],
      });
  }

  /** What stands in the object, as far as we know. */
  current({ uid, status }: KnownObject): readonly Condition[] {
    const nowMs = performance.now();
    // Objects that are gone by now are not asked for any more.
    for (const [other, { atMs }] of this.#written) {
      if (nowMs - atMs < ECHO_MS) break;
      this.#written.delete(other);
    }
    return this.#written.get(uid)?.conditions ?? conditionsIn(status);
  }

  /** The newest wish counts. */
  write(object: KnownObject, conditions: readonly Condition[]): void {
    if (sameConditions(this.current(object), conditions)) {
      this.#queue.delete(object.uid);
      return;
    }
    this.#queue.set(object.uid, { object, conditions });
    this.#next();
  }

  #next(): void {
    while (this.#writing < AT_ONCE) {
      const [next] = this.#queue;
      if (next === undefined) return;
      this.#queue.delete(next[0]);
      if (!this.#options.mayWrite()) continue;
      this.#writing += 1;
      void this.#apply(next[1]).finally(() => {
        this.#writing -= 1;
        this.#next();
      });
    }
  }

  async #apply({ object, conditions }: Write): Promise<void> {
    const { kind, namespace, name, uid } = object;
    const what = WATCHED_KINDS.find((watched) => watched.kind === kind);
    if (what === undefined) return;
    const before = this.current(object);
    const path = `${collectionPath(what.apiVersion, what.plural, namespace)}/${name}/status`;
    try {
      this.#writes?.inc();
      const answer = await this.#options.api.request(path, {
        method: 'PATCH',
        query: { fieldManager: 'redpilot', force: 'true' },
        contentType: 'application/apply-patch+yaml',
        body: {
          apiVersion: what.apiVersion,
          kind,
          metadata: { name, namespace, uid },
          status: { conditions },
        },
      });
      await this.#withdraw(path, answer, conditions);
      this.#written.delete(uid);
      this.#written.set(uid, { conditions, atMs: performance.now() });
      this.#options.onWritten(object, before, conditions);
      this.#problem = '';
    } catch (error) {
      const status = error instanceof ApiError ? error.status : 0;
      // It is gone, or another one has its name; the watch will say so.
      if (status === 404 || status === 409) return;
      const why = reasonOf(error);
      if (why !== this.#problem) this.#options.log.warn(`the status of ${kind} ${namespace}/${name}: ${why}`);
      this.#problem = why;
      this.#options.onFailure();
    }
  }

  /** Applying takes away only what nobody else has written too: a backup that brought the status back, or a person. */
  async #withdraw(path: string, answer: unknown, conditions: readonly Condition[]): Promise<void> {
    const { metadata, status } = (answer ?? {}) as Partial<RawObject> & { readonly status?: unknown };
    const there = conditionsIn(status);
    const isWanted = (condition: Condition): boolean =>
      !isOurs(condition) || conditions.some(({ type }) => type === condition.type);
    if (there.every(isWanted)) return;
    const { uid, resourceVersion } = (metadata ?? {}) as {
      readonly [key in 'uid' | 'resourceVersion']?: string;
    };
    await this.#options.api.request(path, {
      method: 'PATCH',
      query: { fieldManager: 'redpilot' },
      contentType: 'application/merge-patch+json',
      body: { metadata: { uid, resourceVersion }, status: { conditions: there.filter(isWanted) } },
    });
  }
}

/** Of whatever somebody may have written there: the Aeraki CRDs check nothing of it. */
function conditionsIn(status: unknown): readonly Condition[] {
  const { conditions } = (status ?? {}) as { readonly conditions?: unknown };
  return Array.isArray(conditions) ? conditions.filter(isCondition) : [];
}

/** One whose time can't be taken over counts as none. */
function isCondition(value: unknown): value is Condition {
  const { type, status, lastTransitionTime } = (value ?? {}) as Partial<Record<keyof Condition, unknown>>;
  return (
    typeof type === 'string' &&
    typeof status === 'string' &&
    typeof lastTransitionTime === 'string' &&
    !Number.isNaN(Date.parse(lastTransitionTime))
  );
}
