/**
 * The Secrets that objects refer to, read one by one: the right to list them would be the right to read them all.
 *
 * Read again on a timer, so that a rotated password arrives; a Secret that can't be read keeps what was last known.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import type { Diagnostic, FieldPath, ObjectRef } from '../../api/diagnostic.ts';
import type { ApiObject, Auth } from '../../api/objects.ts';
import { ApiError, reasonOf } from './api-error.ts';
import type { ApiServer } from './api-server.ts';
import type { RawObject } from './reflector.ts';

export interface SecretsOptions {
  readonly api: Pick<ApiServer, 'request'>;
  readonly onSet: (secret: RawObject) => void;
  readonly onDeleted: (secret: RawObject) => void;
  /** It was never read; a clause says why. One that was read once stays as it was. */
  readonly onRefused: (namespace: string, name: string, why: string) => void;
  /** After each answer that changes what `isSettled`, `isAsking` or `diagnostics` say. */
  readonly onAnswer: () => void;
  readonly log: { warn(message: string): void };
  readonly intervalMs?: number;
}

/** Where an object asks for a Secret. */
interface Reference {
  readonly object: ObjectRef;
  readonly path: FieldPath;
}

interface Wanted {
  readonly namespace: string;
  readonly name: string;
  references: readonly Reference[];
  /** Equal as long as the Secret is; `absent` where there is none, undefined before the first answer. */
  version: string | undefined;
  /** Why it can't be read. */
  problem: string | undefined;
  /** The last failure that was logged; undefined since it was answered. */
  warned: string | undefined;
  /** It is to be read again before all are. */
  isRetried: boolean;
  /** It could be read, and the last answer forbade it: a server that has just started forbids everything for a moment. */
  isDoubted: boolean;
}

/** A rotated password arrives within a minute, jitter and the read included. */
const INTERVAL_MS = 30_000;
const AT_ONCE = 10;
const RETRY_MS = 3_000;

export class Secrets {
  readonly #options: SecretsOptions;
  readonly #stopped = new AbortController();
  readonly #wanted = new Map<string, Wanted>();
  #queue: Wanted[] = [];
  #reading = 0;

  constructor(options: SecretsOptions) {
    this.#options = options;
    void this.#readAgain();
  }

  /** Follows the references of the objects in force. */
  want(objects: Iterable<ApiObject>): void {
    const now = new Map<string, Reference[]>();
    for (const object of objects) {
      for (const { name, path } of referencesOf(object)) {
        const key = `${object.namespace}/${name}`;
        const { kind, namespace } = object;
        const reference = { object: { kind, namespace, name: object.name }, path };
        now.set(key, [...(now.get(key) ?? []), reference]);
      }
    }
    for (const [key, { namespace, name }] of this.#wanted) {
      if (now.has(key)) continue;
      this.#wanted.delete(key);
      this.#options.onDeleted({ metadata: { namespace, name } });
    }
    for (const [key, references] of now) {
      const known = this.#wanted.get(key);
      if (known !== undefined) {
        known.references = references;
        continue;
      }
      const [namespace = '', name = ''] = key.split('/');
      const wanted: Wanted = {
        namespace,
        name,
        references,
        version: undefined,
        problem: undefined,
        warned: undefined,
        isRetried: false,
        isDoubted: false,
      };
      this.#wanted.set(key, wanted);
      this.#queue.push(wanted);
    }
    this.#next();
  }

  /** Every one that is wanted has been read, or can't be. */
  get isSettled(): boolean {
    return [...this.#wanted.values()].every(
      ({ version, problem }) => version !== undefined || problem !== undefined,
    );
  }

  /** Some was never answered for, not even with a failure. */
  get isAsking(): boolean {
    return [...this.#wanted.values()].some(
      ({ version, problem, warned }) =>
        version === undefined && problem === undefined && warned === undefined,
    );
  }

  diagnostics(): readonly Diagnostic[] {
    return [...this.#wanted.values()].flatMap(({ name, references, problem, version }) =>
      problem === undefined || version === undefined
        ? []
        : references.map(({ object, path }): Diagnostic => {
            const message = `Secret ${name} can't be read any more: ${problem}; grant get on it to redpilot`;
            return { severity: 'error', reason: 'SecretNotFound', object, path, message };
          }),
    );
  }

  stop(): void {
    this.#stopped.abort();
  }

  async #readAgain(): Promise<void> {
    const { intervalMs = INTERVAL_MS } = this.#options;
    for (;;) {
      const jitter = 0.8 + Math.random() * 0.4;
      await sleep(intervalMs * jitter, undefined, { signal: this.#stopped.signal }).catch(() => {});
      if (this.#stopped.signal.aborted) return;
      this.#queue = [...new Set([...this.#queue, ...this.#wanted.values()])];
      this.#next();
    }
  }

  #next(): void {
    while (this.#reading < AT_ONCE) {
      const wanted = this.#queue.shift();
      if (wanted === undefined) return;
      this.#reading += 1;
      void this.#read(wanted).finally(() => {
        this.#reading -= 1;
        this.#next();
      });
    }
  }

  async #read(wanted: Wanted): Promise<void> {
    const { api, onSet, onDeleted, onRefused, onAnswer, log } = this.#options;
    const { namespace, name } = wanted;
    const before = { ...wanted };
    const isWanted = (): boolean => this.#wanted.get(`${namespace}/${name}`) === wanted;
    if (!isWanted()) return;
    try {
      const path = `/api/v1/namespaces/${namespace}/secrets/${encodeURIComponent(name)}`;
      const secret = (await api.request(path, { signal: this.#stopped.signal })) as RawObject | undefined;
      const version = secret?.metadata.resourceVersion;
      if (!isWanted() || secret === undefined || version === undefined) return;
      wanted.problem = undefined;
      wanted.warned = undefined;
      wanted.isDoubted = false;
      wanted.version = version;
      if (version !== before.version) onSet({ ...secret, apiVersion: 'v1', kind: 'Secret' } as RawObject);
    } catch (error) {
      if (this.#stopped.signal.aborted || !isWanted()) return;
      const status = error instanceof ApiError ? error.status : 0;
      if (status === 404) {
        wanted.problem = undefined;
        wanted.version = 'absent';
        if (before.version !== 'absent') onDeleted({ metadata: { namespace, name } });
      } else if (status === 403 && isRead(wanted) && !wanted.isDoubted) {
        wanted.isDoubted = true;
        void this.#readLater(wanted);
      } else if (status === 403) {
        wanted.problem = 'RBAC forbids it';
        // Whether it is there is not known any more.
        if (wanted.version === 'absent') wanted.version = undefined;
        if (wanted.version === undefined && wanted.problem !== before.problem)
          onRefused(namespace, name, wanted.problem);
      } else {
        const why = reasonOf(error);
        if (wanted.warned !== why) log.warn(`Secret ${namespace}/${name} was not read: ${why}`);
        wanted.warned = why;
        // One that was read is read again soon enough; one that never was holds up its object.
        if (wanted.version === undefined) void this.#readLater(wanted);
      }
      // Somebody is about to make it.
      if (status === 404) void this.#readLater(wanted);
    }
    const { version, problem, warned } = wanted;
    if (version !== before.version || problem !== before.problem || warned !== before.warned) onAnswer();
  }

  async #readLater(wanted: Wanted): Promise<void> {
    if (wanted.isRetried) return;
    wanted.isRetried = true;
    await sleep(RETRY_MS, undefined, { signal: this.#stopped.signal }).catch(() => {});
    wanted.isRetried = false;
    if (this.#stopped.signal.aborted) return;
    this.#queue.push(wanted);
    this.#next();
  }
}

function isRead({ version, problem }: Wanted): boolean {
  return version !== undefined && version !== 'absent' && problem === undefined;
}

/** What may be the name of a Secret; anything else must not become part of a path. */
const NAME = /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/;

function referencesOf(object: ApiObject): readonly { readonly name: string; readonly path: FieldPath }[] {
  const ofName = (name: string | undefined, path: FieldPath): { name: string; path: FieldPath }[] =>
    name !== undefined && NAME.test(name) ? [{ name, path }] : [];
  const ofAuth = (auth: Auth | undefined, path: FieldPath): { name: string; path: FieldPath }[] =>
    auth?.kind === 'secret' ? ofName(auth.name, [...path, 'auth', 'secret', 'name']) : [];
  switch (object.kind) {
    case 'RedisService':
      return ofAuth(object.auth, ['spec', 'settings']);
    case 'RedisDestination':
      return [
        ...ofAuth(object.auth, ['spec', 'trafficPolicy', 'connectionPool', 'redis']),
        ...ofName(object.tls?.secretName, ['spec', 'trafficPolicy', 'tls', 'secret', 'name']),
      ];
    case 'Service':
    case 'EndpointSlice':
    case 'ServiceEntry':
    case 'Secret':
      return [];
  }
}
