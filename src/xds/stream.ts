/**
 * One stream: the subscriptions of a client and the order between them.
 *
 * Clusters, then their endpoints, then the listeners that route to them; clusters are removed last (`retention.ts`). Where
 * nothing is known of the listeners, as on a stream of one type, clusters are removed a drain time after they are gone.
 * Pure: times are arguments, and responses are handed out one by one for as long as the caller can write.
 */
import { CLUSTER_TYPE, ENDPOINTS_TYPE, LISTENER_TYPE, TYPE_URLS, type TypeUrl } from '../envoy/resource.ts';
import { ResourceSet, type Snapshot } from '../envoy/resource-set.ts';
import { DeltaSubscription } from './delta.ts';
import { NO_INITIAL_FORM } from './initial-form.ts';
import { NO_RESOURCES, type Served } from './served.ts';
import type { StreamKind, XdsRequest } from './requests.ts';
import { Retention } from './retention.ts';
import type { ResourceOutcome } from './snapshot-source.ts';
import { WorldSubscription } from './state-of-the-world.ts';
import type { Answer, Response, Subscription, SubscriptionState } from './subscription.ts';

/** How long an unanswered response holds up the next one of its type. */
export const ANSWER_LIMIT_MS = 1_500;

/**
 * So long may a client that comes back with endpoints or listeners leave clusters unasked for. Envoy 1.40 asks for them
 * first, but not while one of its own is warming, and one whose Redis is down warms for ever. What it did not ask for it
 * takes all the same (measured, both variants); without that the very change that mends the cluster would not reach it.
 */
export const UNASKED_LIMIT_MS = 5_000;

const NOTHING: ReadonlySet<string> = new Set();

export class XdsStream {
  readonly #kind: StreamKind;
  readonly #mustAsk: boolean;
  readonly #subscriptions = new Map<TypeUrl, Subscription>();
  readonly #retention: Retention;
  #snapshot: Snapshot | undefined;
  #sequence = 0;
  #served = new Map<TypeUrl, Served>();
  #lastNonce = 0;
  /** Since when listeners wait for endpoints. */
  #waitingSinceMs: number | undefined;
  /** Since when clusters have been left unasked for. */
  #unaskedSinceMs: number | undefined;
  /** Clusters are served unasked for. */
  #isPresumed = false;

  /** `mustAsk`: what a client is not subscribed to is nothing to it, clusters too. */
  constructor(kind: StreamKind, drainMs: number, { mustAsk = true }: { mustAsk?: boolean } = {}) {
    this.#kind = kind;
    this.#mustAsk = mustAsk || kind.only !== undefined;
    this.#retention = new Retention(drainMs, kind.variant);
  }

  request(request: XdsRequest, nowMs: number): Answer | undefined {
    const { typeUrl } = request;
    const known = this.#subscriptions.get(typeUrl);
    if (typeUrl !== CLUSTER_TYPE) {
      if (known !== undefined) return known.request(request, nowMs);
      const isUnasked = !this.#mustAsk && !this.#subscriptions.has(CLUSTER_TYPE);
      if (isUnasked && hasClusters(request)) this.#unaskedSinceMs ??= nowMs;
      if (typeUrl === LISTENER_TYPE) this.#retention.listenersAskedFor();
      return this.#open(typeUrl).request(request, nowMs);
    }
    if (known !== undefined && !this.#isPresumed) return known.request(request, nowMs);
    this.#unaskedSinceMs = undefined;
    this.#isPresumed = false;
    const answer = (known ?? this.#open(typeUrl)).request(request, nowMs);
    // What a reconnecting client brings along may be gone already.
    if (this.#snapshot !== undefined) this.#serve(this.#snapshot);
    return answer;
  }

  /** Returns false where nothing changed. */
  setSnapshot(snapshot: Snapshot): boolean {
    if (snapshot === this.#snapshot) return false;
    this.#sequence += 1;
    this.#serve(snapshot);
    this.#snapshot = snapshot;
    return true;
  }

  /** The next response to write; undefined until something happens or the time of `wakeAt` has come. */
  next(nowMs: number): Response | undefined {
    const snapshot = this.#snapshot;
    if (snapshot === undefined) return undefined;
    if (this.#unaskedSinceMs !== undefined && nowMs >= this.#unaskedSinceMs + UNASKED_LIMIT_MS) {
      this.#unaskedSinceMs = undefined;
      this.#isPresumed = true;
      this.#open(CLUSTER_TYPE).presume();
    }
    for (;;) {
      for (const type of TYPE_URLS) {
        if (type === LISTENER_TYPE && this.#mustListenersWait(nowMs)) continue;
        const response = this.#nextOf(type, nowMs);
        if (response !== undefined) return response;
      }
      if (!this.#retention.release(nowMs, this.#confirmedListeners())) return undefined;
      this.#refresh(snapshot);
    }
  }

  /**
   * For a stream that is to be ended, so that its client soon comes back. Envoy 1.40 waits longer before each attempt to
   * connect, up to half a minute, until a stream brings it a message; and one that had everything when it connected was
   * sent none (measured: the fifth silent stream in a row is followed by a wait of seven seconds).
   */
  farewell(): Response | undefined {
    if (this.#lastNonce > 0 || this.#snapshot === undefined) return undefined;
    for (const typeUrl of [LISTENER_TYPE, CLUSTER_TYPE] as const) {
      const content = this.#subscriptions.get(typeUrl)?.repeated(this.#servedOf(typeUrl));
      if (content === undefined) continue;
      this.#lastNonce += 1;
      const nonce = String(this.#lastNonce);
      const nothing = { removed: [], fresh: NO_RESOURCES, retried: NO_RESOURCES };
      return { typeUrl, nonce, content, ...nothing, initialForm: NO_INITIAL_FORM };
    }
    return undefined;
  }

  /** When to ask for the next response although nothing else has happened; undefined: not before something does. */
  wakeAt(nowMs: number): number | undefined {
    if (this.#snapshot === undefined) return undefined;
    let earliest: number | undefined;
    for (const subscription of this.#subscriptions.values())
      earliest = earlier(earliest, subscription.wakeAt(nowMs), nowMs);
    earliest = earlier(earliest, this.#retention.wakeAt(), nowMs);
    if (this.#unaskedSinceMs !== undefined)
      earliest = earlier(earliest, this.#unaskedSinceMs + UNASKED_LIMIT_MS, nowMs);
    if (this.#waitingSinceMs === undefined) return earliest;
    return earlier(earliest, this.#waitingSinceMs + ANSWER_LIMIT_MS, nowMs);
  }

  /** undefined: the client has not asked for that type. */
  outcomeOf(type: TypeUrl, name: string, version: string): ResourceOutcome | undefined {
    return this.#subscriptions.get(type)?.outcomeOf(name, version);
  }

  states(): readonly SubscriptionState[] {
    return Array.from(this.#subscriptions.values(), (subscription) => subscription.state());
  }

  /** How many names the client is subscribed to, beside the wildcard. */
  nameCount(type: TypeUrl): number {
    return this.#subscriptions.get(type)?.nameCount ?? 0;
  }

  #nextOf(type: TypeUrl, nowMs: number): Response | undefined {
    const subscription = this.#subscriptions.get(type);
    if (subscription === undefined || subscription.isIdle) return undefined;
    const nonce = String(this.#lastNonce + 1);
    const response = subscription.next(this.#servedOf(type), nowMs, nonce);
    if (response === undefined) return undefined;
    this.#lastNonce += 1;
    // Envoy warms a changed cluster until its endpoints come, also if they are the same. In delta it does not even ask
    // for them, and it holds back its answer to the clusters meanwhile: so they follow at once.
    if (type === CLUSTER_TYPE) {
      const endpoints = this.#subscriptions.get(ENDPOINTS_TYPE);
      for (const clusters of [response.fresh, response.retried]) endpoints?.touch(clusters);
    }
    return response;
  }

  /**
   * Listeners leave after the clusters and endpoints of the same snapshot. Clusters are never held up for longer than
   * the limit; where endpoints are held up by turns with them, listeners wait for that no longer than it either.
   */
  #mustListenersWait(nowMs: number): boolean {
    if (this.#unaskedSinceMs !== undefined || this.#isBehind(CLUSTER_TYPE)) return true;
    if (!this.#isBehind(LISTENER_TYPE) || !this.#isBehind(ENDPOINTS_TYPE)) {
      this.#waitingSinceMs = undefined;
      return false;
    }
    this.#waitingSinceMs ??= nowMs;
    return nowMs < this.#waitingSinceMs + ANSWER_LIMIT_MS;
  }

  #isBehind(type: TypeUrl): boolean {
    const subscription = this.#subscriptions.get(type);
    if (subscription === undefined || subscription.isIdle) return false;
    return subscription.isBehind(this.#servedOf(type));
  }

  /** All where the client has asked for none: so it does on a stream of clusters, or where its listeners come from elsewhere. */
  #confirmedListeners(): number {
    const listeners = this.#subscriptions.get(LISTENER_TYPE);
    return listeners?.confirmedSequence(this.#servedOf(LISTENER_TYPE)) ?? this.#sequence;
  }

  #serve(snapshot: Snapshot): void {
    const clusters = this.#subscriptions.get(CLUSTER_TYPE);
    // A client that started without clusters and has not asked for listeners has none: no reason to keep anything, and
    // a good one not to, since a cluster that never warms keeps it from asking.
    const hasNoListeners =
      this.#kind.only === undefined &&
      clusters?.startedEmpty === true &&
      this.#subscriptions.get(LISTENER_TYPE) === undefined;
    const next = snapshot.get(CLUSTER_TYPE) ?? ResourceSet.empty;
    const gone = hasNoListeners ? [] : (clusters?.goneFrom(next) ?? []);
    if (gone.length > 0 || !this.#retention.isEmpty) {
      const before = (type: TypeUrl): ResourceSet => this.#servedOf(type).resources;
      this.#retention.keep(gone, snapshot, before, this.#sequence);
    }
    this.#refresh(snapshot);
  }

  #refresh(snapshot: Snapshot): void {
    for (const type of TYPE_URLS) {
      const before = this.#served.get(type);
      const served = this.#retention.served(type, snapshot, this.#sequence);
      this.#served.set(type, served);
      const isSame =
        before?.resources === served.resources && before.withheld.size + served.withheld.size === 0;
      if (!isSame) this.#subscriptions.get(type)?.servedChanged();
    }
  }

  #servedOf(type: TypeUrl): Served {
    return (
      this.#served.get(type) ?? { resources: ResourceSet.empty, withheld: NOTHING, sequence: this.#sequence }
    );
  }

  #open(type: TypeUrl): Subscription {
    const { variant } = this.#kind;
    const subscription =
      variant === 'delta'
        ? new DeltaSubscription(type, ANSWER_LIMIT_MS)
        : new WorldSubscription(type, ANSWER_LIMIT_MS);
    this.#subscriptions.set(type, subscription);
    return subscription;
  }
}

/** As its request for something else tells: it comes back with what it has, or names clusters whose endpoints it wants. */
function hasClusters(request: XdsRequest): boolean {
  const [names, hasSome] =
    request.variant === 'delta'
      ? [request.subscribe, request.known.size > 0]
      : [request.names, request.version !== ''];
  return hasSome || (request.typeUrl === ENDPOINTS_TYPE && names.length > 0);
}

/** The first of two times that is still to come. */
function earlier(one: number | undefined, other: number | undefined, nowMs: number): number | undefined {
  if (other === undefined || other <= nowMs) return one;
  return one === undefined || other < one ? other : one;
}
