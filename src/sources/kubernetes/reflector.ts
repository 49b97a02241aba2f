/**
 * Follows one collection of the API server: lists it, then watches it, for as long as the process lives.
 *
 *   list ──> watch ──ended──> watch again from the version last seen
 *     ^        │
 *     └──410───┘      any other failure: wait, then go on where it was
 *
 * A failure never takes an object away: only a list that succeeded, or an event, says that one is gone.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import { ApiError, reasonOf } from './api-error.ts';
import type { ApiRequest, ApiServer } from './api-server.ts';
import { Backoff } from '../backoff.ts';

/**
 * `following`: what is known is what there is. `absent`: the server does not know the kind. `forbidden`: we may not read
 * it. `unreachable`: no answer, or none that can be used; also before the first.
 */
export type ReflectorState = 'following' | 'absent' | 'forbidden' | 'unreachable';

/** An object as the API server gives it. */
export interface RawObject {
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly resourceVersion?: string;
  };
}

export interface ReflectorOptions {
  readonly api: Pick<ApiServer, 'request' | 'lines'>;
  /** `/apis/redis.aeraki.io/v1alpha1/redisservices` */
  readonly path: string;
  /** List items come without them. */
  readonly apiVersion: string;
  readonly kind: string;
  readonly labelSelector?: string | undefined;
  /** All there is; what is not in it is gone. */
  readonly onList: (objects: readonly RawObject[]) => void;
  readonly onSet: (object: RawObject) => void;
  readonly onDeleted: (object: RawObject) => void;
  /** Each time that it changes. */
  readonly onState: (state: ReflectorState, why: string) => void;
  /** Without a byte for that long a watch counts as dead. */
  readonly silenceMs?: number;
  readonly random?: () => number;
}

const PAGE = 500;
/** Bookmarks come about once a minute. */
const SILENCE_MS = 100_000;
/** The server ends the watch after a time between these, so that watches do not all end together. */
const SHORTEST_WATCH_S = 300;
const LONGEST_WATCH_S = 600;
/** A watch that ends sooner without an event is a failure. */
const TOO_SHORT_MS = 1_000;
/** One that lived that long shows that all is well again. */
const HEALTHY_MS = 5_000;
/** A CRD is installed by somebody who waits for it. */
const ABSENT_MS = 2_000;

export class Reflector {
  readonly #options: ReflectorOptions;
  readonly #stopped = new AbortController();
  /** Of the wait for the next attempt. */
  #waiting = new AbortController();
  readonly #random: () => number;
  readonly #backoff: Backoff;
  /** Of the last list, event or bookmark; undefined: list first. Opaque: only passed back. */
  #version: string | undefined;
  #state: ReflectorState | undefined;
  /** The list after a version was too old: where no watch has gone on from that either, it may be so for ever. */
  #isOnTrial = false;
  /** Apart from other failures: those before say nothing of a server that answers. */
  readonly #expiries: Backoff;
  /** The watch that ended last had lived long enough to show that all is well. */
  #wasHealthy = false;

  constructor(options: ReflectorOptions) {
    this.#options = options;
    this.#random = options.random ?? Math.random;
    this.#backoff = new Backoff(this.#random);
    this.#expiries = new Backoff(this.#random);
  }

  /** Resolves after `stop`. */
  async run(): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      try {
        if (this.#version === undefined) await this.#list();
        await this.#watch();
      } catch (error) {
        if (this.#stopped.signal.aborted) return;
        await this.#recover(error);
      }
    }
  }

  stop(): void {
    this.#stopped.abort();
  }

  /** The server was found: what waits for the next attempt makes it now. */
  hurry(): void {
    this.#waiting.abort();
  }

  /** Now, and the answer is told also where it is the same. */
  askAgain(): void {
    this.#state = undefined;
    this.hurry();
  }

  async #list(): Promise<void> {
    const objects: RawObject[] = [];
    let continuation: string | undefined;
    let version: string | undefined;
    do {
      const page = asList(
        await this.#options.api.request(
          this.#options.path,
          this.#ask({ limit: String(PAGE), continue: continuation }),
        ),
      );
      objects.push(...page.items);
      continuation = page.continuation === '' ? undefined : page.continuation;
      version = page.version;
    } while (continuation !== undefined);
    this.#options.onList(objects.map((object) => this.#named(object)));
    this.#version = version;
    this.#tell('following', '');
  }

  async #watch(): Promise<void> {
    const seconds = SHORTEST_WATCH_S + this.#random() * (LONGEST_WATCH_S - SHORTEST_WATCH_S);
    const started = performance.now();
    let events = 0;
    const request = this.#ask({
      watch: 'true',
      allowWatchBookmarks: 'true',
      resourceVersion: this.#version,
      timeoutSeconds: String(Math.round(seconds)),
    });
    this.#wasHealthy = false;
    try {
      await this.#options.api.lines(this.#options.path, request, {
        silenceMs: this.#options.silenceMs ?? SILENCE_MS,
        // Where nothing happens, the first line may be a minute away.
        onOpen: () => this.#tell('following', ''),
        onLine: (line) => {
          events += 1;
          this.#take(JSON.parse(line) as WatchEvent);
          this.#tell('following', '');
        },
      });
    } finally {
      this.#wasHealthy = performance.now() - started > HEALTHY_MS;
      if (this.#wasHealthy) {
        this.#backoff.reset();
        this.#prove();
      }
    }
    if (events === 0 && performance.now() - started < TOO_SHORT_MS) {
      throw new ApiError(0, 'Short', 'the watch ended at once');
    }
    this.#tell('following', '');
  }

  #take({ type, object }: WatchEvent): void {
    const { onSet, onDeleted } = this.#options;
    switch (type) {
      case 'ADDED':
      case 'MODIFIED':
        onSet(this.#named(object as RawObject));
        break;
      case 'DELETED':
        onDeleted(this.#named(object as RawObject));
        break;
      case 'BOOKMARK':
        break;
      case 'ERROR': {
        const { code } = object as { readonly code?: unknown };
        throw ApiError.of(typeof code === 'number' ? code : 0, object);
      }
      default:
        return;
    }
    this.#version = (object as RawObject).metadata.resourceVersion ?? this.#version;
    this.#prove();
  }

  /** Versions are good for something. */
  #prove(): void {
    this.#isOnTrial = false;
    this.#expiries.reset();
  }

  async #recover(error: unknown): Promise<void> {
    const status = error instanceof ApiError ? error.status : 0;
    if (status === 410) {
      // What was missed is not kept any more; the list tells it, deletions too. Every restart of the server brings that.
      this.#version = undefined;
      const isAgain = this.#isOnTrial;
      this.#isOnTrial = true;
      if (!isAgain) return;
      this.#tell('unreachable', reasonOf(error));
      await this.#sleep(this.#expiries.next());
      return;
    }
    const why = reasonOf(error);
    const isBroken = error instanceof ApiError && ['Silent', 'Cut', 'Short'].includes(error.reason);
    if (status === 403) this.#tell('forbidden', why);
    else if (status === 404) this.#tell('absent', why);
    // A watch that broke is taken up again first; only if that fails is the server gone.
    else if (!isBroken) this.#tell('unreachable', why);
    if (isBroken && this.#wasHealthy) {
      this.#wasHealthy = false;
      return;
    }
    const wait = status === 404 ? ABSENT_MS * (1 + this.#random() / 2) : this.#backoff.next();
    const asked = error instanceof ApiError ? (error.retryAfterMs ?? 0) : 0;
    await this.#sleep(Math.max(wait, asked));
  }

  #ask(query: Readonly<Record<string, string | undefined>>): ApiRequest {
    return {
      query: { ...query, labelSelector: this.#options.labelSelector },
      signal: this.#stopped.signal,
    };
  }

  #named(object: RawObject): RawObject {
    const { apiVersion, kind } = this.#options;
    return { ...object, apiVersion, kind } as RawObject;
  }

  #tell(state: ReflectorState, why: string): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#options.onState(state, why);
  }

  async #sleep(ms: number): Promise<void> {
    this.#waiting = new AbortController();
    const signal = AbortSignal.any([this.#stopped.signal, this.#waiting.signal]);
    await sleep(ms, undefined, { signal }).catch(() => {});
  }
}

interface WatchEvent {
  readonly type: string;
  readonly object: unknown;
}

interface Page {
  readonly items: readonly RawObject[];
  readonly version: string | undefined;
  readonly continuation: string | undefined;
}

/** An answer that is no list (a proxy's page with status 200) must not pass for an empty one. */
function asList(answer: unknown): Page {
  const { items, metadata } = (answer ?? {}) as { readonly items?: unknown; readonly metadata?: unknown };
  const { resourceVersion, continue: continuation } = (metadata ?? {}) as Readonly<Record<string, unknown>>;
  const isItems = Array.isArray(items) || items === null;
  if (!isItems || typeof resourceVersion !== 'string') {
    throw new ApiError(0, 'NoList', 'the answer is not a list');
  }
  return {
    items: (items ?? []) as readonly RawObject[],
    version: resourceVersion,
    continuation: typeof continuation === 'string' ? continuation : undefined,
  };
}
