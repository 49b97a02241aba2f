/**
 * Follows the objects of a cluster: lists everything once, then reports what changes.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import { Gauge, type Registry } from 'prom-client';

import type { KubeConfig } from '@kubernetes/client-node';

import type { Diagnostic } from '../../api/diagnostic.ts';
import type { ApiObject } from '../../api/objects.ts';
import type { ObjectChanges } from '../../world/world.ts';
import { reasonOf } from './api-error.ts';
import { ApiServer } from './api-server.ts';
import { Backoff } from '../backoff.ts';
import { HeldObjects, type KnownObject } from './held-objects.ts';
import { collectionPath, ISTIO_KINDS, WATCHED_KINDS, type WatchedKind } from './kinds.ts';
import { isRefusal, NOTHING, readMemory, type Remembered } from './memory.ts';
import { Reflector, type ReflectorState } from './reflector.ts';
import { Secrets } from './secrets.ts';

export interface WatchOptions {
  readonly config: KubeConfig;
  /** Empty: all of them. */
  readonly namespaces: readonly string[];
  /** Labels that RedisServices and RedisDestinations must have. */
  readonly selector?: string | undefined;
  /** Istio's ServiceEntries too. */
  readonly withIstio?: boolean | undefined;
  /** First with everything, then with each change; `diagnostics` are all that hold now. */
  readonly onChange: (changes: ObjectChanges, diagnostics: readonly Diagnostic[]) => void;
  /** Where what survives a restart is stored; undefined: nothing does. */
  readonly memoryNamespace: string | undefined;
  /** Once, before the first change: what was stored beside objects. */
  readonly onRemembered?: (remembered: Remembered) => void;
  readonly log: { info(message: string): void; warn(message: string): void };
  readonly metrics?: Registry | undefined;
  readonly secretsIntervalMs?: number | undefined;
  /** Without a byte for that long a watch counts as dead. */
  readonly silenceMs?: number | undefined;
}

export interface KubernetesSource {
  readonly api: ApiServer;
  /** Resolves after everything was reported once. */
  readonly complete: Promise<void>;
  /** What is waited for, as a clause; undefined once complete. */
  waitingFor(): string | undefined;
  /** RedisServices and RedisDestinations as the API server has them, bad ones too. */
  own(): Iterable<KnownObject>;
  /** `own` tells of something that was not reported yet: a Secret is waited for. */
  readonly isBehind: boolean;
  /** Why it is a guess that a kind has no objects in a namespace (undefined: in some); undefined where it is none. */
  guessed(kind: WatchedKind['kind'], namespace: string | undefined): string | undefined;
  close(): Promise<void>;
}

/** One collection: a kind in one namespace, or in all. */
interface Collection {
  readonly what: WatchedKind;
  readonly namespace: string | undefined;
  readonly reflector: Reflector;
  state: ReflectorState | 'unasked';
  why: string;
  wasListed: boolean;
  /** What was said last of its being away; empty: that it is there, or nothing yet. */
  warned: string;
}

/** A change waits so long for Secrets that it names; they come within milliseconds. */
const SECRETS_MS = 2_000;

export function watchKubernetes(options: WatchOptions): KubernetesSource {
  const source = new Source(options);
  source.start();
  return source;
}

class Source implements KubernetesSource {
  readonly api: ApiServer;
  readonly complete: Promise<void>;
  readonly #options: WatchOptions;
  readonly #objects = new HeldObjects();
  readonly #collections: Collection[] = [];
  readonly #secrets: Secrets;
  readonly #upGauge: Gauge<'kind'> | undefined;
  #markComplete: () => void = () => {};
  #isComplete = false;
  #scheduled: NodeJS.Immediate | undefined;
  /** Runs while Secrets are waited for. */
  #patience: NodeJS.Timeout | undefined;
  #isImpatient = false;
  #running: Promise<unknown> = Promise.resolve();
  readonly #stopped = new AbortController();
  /** undefined until it has been read. */
  #remembered: Remembered | undefined;
  #recalled: readonly ApiObject[] | undefined;

  constructor(options: WatchOptions) {
    this.#options = options;
    this.api = new ApiServer(options.config);
    this.complete = new Promise((resolve) => {
      this.#markComplete = resolve;
    });
    this.#secrets = new Secrets({
      api: this.api,
      onSet: (secret) => this.#objects.set('Secret', secret),
      onDeleted: (secret) => this.#objects.delete('Secret', secret),
      onRefused: (namespace, name, why) => this.#objects.refuse(namespace, name, why),
      onAnswer: () => this.#schedule(),
      log: options.log,
      ...(options.secretsIntervalMs === undefined ? {} : { intervalMs: options.secretsIntervalMs }),
    });
    this.#upGauge =
      options.metrics &&
      new Gauge({
        name: 'redpilot_kubernetes_up',
        help: '1: the objects of that kind are followed; 0: what is known of them may be old',
        labelNames: ['kind'],
        // Of several workers: whether all of them follow.
        aggregator: 'min',
        registers: [options.metrics],
      });
  }

  start(): void {
    const namespaces = this.#options.namespaces.length === 0 ? [undefined] : this.#options.namespaces;
    for (const what of this.#options.withIstio === true
      ? [...WATCHED_KINDS, ...ISTIO_KINDS]
      : WATCHED_KINDS) {
      this.#upGauge?.set({ kind: what.kind }, 0);
      for (const namespace of namespaces) this.#collections.push(this.#collection(what, namespace));
    }
    this.#running = Promise.all([
      ...this.#collections.map(({ reflector }) => reflector.run()),
      this.#readMemory(),
    ]);
  }

  waitingFor(): string | undefined {
    if (this.#isComplete) return undefined;
    const missing = this.#collections.find((collection) => !isKnown(collection));
    if (missing === undefined) return 'Secrets and what is remembered have not been read yet';
    const why = missing.why === '' ? 'not answered yet' : missing.why;
    return `${describe(missing)} have not been listed yet (${this.api.address}: ${why})`;
  }

  own(): Iterable<KnownObject> {
    return this.#objects.own();
  }

  get isBehind(): boolean {
    return this.#objects.hasNews;
  }

  guessed(kind: WatchedKind['kind'], namespace: string | undefined): string | undefined {
    return this.#collections.find(
      (one) =>
        one.what.kind === kind &&
        (namespace === undefined || one.namespace === undefined || one.namespace === namespace) &&
        one.state === 'forbidden' &&
        !one.wasListed,
    )?.why;
  }

  async close(): Promise<void> {
    if (this.#scheduled !== undefined) clearImmediate(this.#scheduled);
    clearTimeout(this.#patience);
    this.#stopped.abort();
    this.#secrets.stop();
    for (const { reflector } of this.#collections) reflector.stop();
    this.api.close();
    await this.#running;
  }

  #collection(what: WatchedKind, namespace: string | undefined): Collection {
    const { kind, apiVersion, plural } = what;
    const { selector, silenceMs } = this.#options;
    const reflector = new Reflector({
      api: this.api,
      path: collectionPath(apiVersion, plural, namespace),
      apiVersion,
      kind,
      labelSelector: what.isSelected ? selector : undefined,
      ...(silenceMs === undefined ? {} : { silenceMs }),
      onList: (objects) => {
        collection.wasListed = true;
        this.#objects.replace(kind, namespace, objects);
        this.#schedule();
      },
      onSet: (object) => {
        this.#objects.set(kind, object);
        this.#schedule();
      },
      onDeleted: (object) => {
        this.#objects.delete(kind, object);
        this.#schedule();
      },
      onState: (state, why) => this.#follow(collection, state, why),
    });
    const collection: Collection = {
      what,
      namespace,
      reflector,
      state: 'unasked',
      why: '',
      wasListed: false,
      warned: '',
    };
    return collection;
  }

  #follow(collection: Collection, state: ReflectorState, why: string): void {
    const before = collection.state;
    collection.state = state;
    collection.why = why;
    const { kind } = collection.what;
    const ofKind = this.#collections.filter(({ what }) => what.kind === kind);
    this.#upGauge?.set({ kind }, ofKind.every(({ state }) => state === 'following') ? 1 : 0);
    const line = lineFor(collection, why, this.#isComplete);
    const { log } = this.#options;
    if (state !== 'following' && line !== collection.warned) log.warn(line);
    else if (state === 'following' && collection.warned !== '') log.info(line);
    collection.warned = state === 'following' ? '' : line;
    if (state === 'following' && isAway(before)) {
      for (const other of this.#collections) if (isAway(other.state)) other.reflector.hurry();
    }
    if (state === 'following' && isDecisive(collection) && !this.#isComplete) this.#askRefused();
    this.#schedule();
  }

  /** What was forbidden before a server had begun to allow anything may be allowed by now. */
  #askRefused(): void {
    for (const collection of this.#collections) {
      if (collection.state !== 'forbidden') continue;
      collection.state = 'unasked';
      collection.reflector.askAgain();
    }
  }

  /**
   * First with what was good before a restart, then with what there is: so it is decided anew, as if there had been no
   * restart, whether the newest version takes its place.
   */
  #begin(recalled: readonly ApiObject[]): void {
    if (recalled.length === 0) return;
    const { set, deleted } = this.#objects.take();
    this.#options.onChange({ set: [...set, ...recalled], deleted }, []);
    const now = recalled.map((object) => ({ object, current: this.#objects.inForce(object) }));
    this.#options.onChange(
      {
        set: now.flatMap(({ current }) => current ?? []),
        deleted: now.flatMap(({ object, current }) => (current === undefined ? [object] : [])),
      },
      [],
    );
  }

  async #readMemory(): Promise<void> {
    const { memoryNamespace, log } = this.#options;
    const backoff = new Backoff();
    while (!this.#stopped.signal.aborted) {
      // Before, it may be one of a server that has just started.
      const isRefusalMeant = this.#collections.filter(isDecisive).every(isKnown);
      try {
        this.#remembered =
          memoryNamespace === undefined ? NOTHING : await readMemory(this.api, memoryNamespace);
        break;
      } catch (error) {
        if (isRefusal(error) && isRefusalMeant) {
          log.warn(`what was good before a restart can't be read (${reasonOf(error)})`);
          this.#remembered = NOTHING;
          break;
        }
        await sleep(backoff.next(), undefined, { signal: this.#stopped.signal }).catch(() => {});
      }
    }
    this.#schedule();
  }

  /** Without them an object may lack the password, the certificates and the mode that they say. */
  #guesses(): readonly Diagnostic[] {
    return [...this.#objects.own()].flatMap(({ kind, namespace, name }): readonly Diagnostic[] => {
      const why = kind === 'RedisService' ? this.guessed('RedisDestination', namespace) : undefined;
      if (why === undefined) return [];
      const message = `RBAC forbids to read RedisDestinations, so passwords, TLS and modes that they say are not known; grant it (${why})`;
      const object = { kind, namespace, name };
      return [{ severity: 'warning', reason: 'DestinationsUnknown', object, path: [], message }];
    });
  }

  /** What arrives in one turn of the event loop is one change. */
  #schedule(): void {
    this.#scheduled ??= setImmediate(() => {
      this.#scheduled = undefined;
      this.#report();
    });
  }

  /** Without a Secret that is only about to be read, an object would refuse its clients until then. */
  #mustWait(): boolean {
    if (!this.#secrets.isAsking) {
      clearTimeout(this.#patience);
      this.#patience = undefined;
      this.#isImpatient = false;
      return false;
    }
    this.#patience ??= setTimeout(() => {
      this.#isImpatient = true;
      this.#schedule();
    }, SECRETS_MS);
    return !this.#isImpatient;
  }

  #report(): void {
    if (!this.#isComplete) {
      if (!this.#collections.every(isKnown) || this.#remembered === undefined) return;
      this.#recalled ??= this.#objects.recall(this.#remembered.objects);
      // What was good before has Secrets of its own.
      this.#secrets.want([...this.#objects.objects(), ...this.#recalled]);
      if (!this.#secrets.isSettled) return;
      this.#isComplete = true;
      this.#options.onRemembered?.(this.#remembered);
      this.#begin(this.#recalled);
    }
    this.#secrets.want(this.#objects.objects());
    if (this.#mustWait()) return;
    const diagnostics = [...this.#objects.diagnostics(), ...this.#secrets.diagnostics(), ...this.#guesses()];
    this.#options.onChange(this.#objects.take(), diagnostics);
    this.#markComplete();
  }
}

/**
 * Nothing is served before it is known what there is. A kind that is not installed has no objects, and one that we may
 * not read stops nothing else; but without the right to read RedisServices an empty set would be a guess, and it would
 * take every listener away.
 */
function isKnown({ state, what }: Collection): boolean {
  return state === 'following' || state === 'absent' || (state === 'forbidden' && !isDecisive({ what }));
}

function isDecisive({ what }: Pick<Collection, 'what'>): boolean {
  return what.kind === 'RedisService';
}

/** A server that has just started forbids everything for a moment. */
function isAway(state: Collection['state']): boolean {
  return state === 'unreachable' || state === 'forbidden';
}

function describe({ what, namespace }: Collection): string {
  return `${what.plural}${namespace === undefined ? '' : ` of namespace ${namespace}`}`;
}

const WHICH_SERVER = 'look whether the API server runs, and whether KUBECONFIG names the right one';

/** `isComplete`: something is served. */
function lineFor(collection: Collection, why: string, isComplete: boolean): string {
  const what = describe(collection);
  const isWaitedFor = !isComplete && !isKnown(collection);
  const meanwhile = isWaitedFor
    ? 'nothing is served until they can be'
    : 'what is known of them stays in force';
  switch (collection.state) {
    case 'absent': {
      const isIstios = ISTIO_KINDS.includes(collection.what);
      const remedy = isIstios ? 'install Istio' : 'install the CRDs (kubectl apply -k manifests/crds)';
      return `${what} are not known to the API server; ${remedy}`;
    }
    case 'forbidden':
      return `RBAC forbids to list and watch ${what}; ${meanwhile} (${why})`;
    case 'unreachable':
      return `${what} can't be followed; ${meanwhile} (${why})${isWaitedFor ? `; ${WHICH_SERVER}` : ''}`;
    case 'following':
    case 'unasked':
      return `${what} are followed again`;
  }
}
