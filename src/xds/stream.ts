/**
 * One stream: the subscriptions of a client and the order between them.
 *
 * Clusters, then their endpoints, then the listeners that route to them; clusters are removed last (`retention.ts`). On a
 * stream of one type nothing is known of the others, so clusters there are removed a drain time after they are gone.
 * Pure: times are arguments, and responses are handed out one by one for as long as the caller can write.
 */
import {
  CLUSTER_TYPE,
  ENDPOINTS_TYPE,
  LISTENER_TYPE,
  type Snapshot,
  TYPE_URLS,
  type TypeUrl,
} from '../envoy/resource.ts';
import { ResourceSet } from '../envoy/resource-set.ts';
import { DeltaSubscription } from './delta.ts';
import type { Served } from './holdings.ts';
import type { DeltaRequest, StreamKind, WorldRequest, XdsRequest } from './requests.ts';
import { Retention } from './retention.ts';
import type { ResourceOutcome } from './snapshot-source.ts';
import { WorldSubscription } from './state-of-the-world.ts';
import type { Answer, Response, Subscription, SubscriptionState } from './subscription.ts';

/** How long an unanswered response holds up the next one of its type. */
export const ANSWER_LIMIT_MS = 1_500;

const NOTHING: ReadonlySet<string> = new Set();

export class XdsStream {
  readonly #kind: StreamKind;
  readonly #limitMs: number;
  readonly #world = new Map<TypeUrl, WorldSubscription>();
  readonly #delta = new Map<TypeUrl, DeltaSubscription>();
  readonly #retention: Retention;
  #snapshot: Snapshot | undefined;
  #sequence = 0;
  #served = new Map<TypeUrl, Served>();
  #lastNonce = 0;
  /** Since when listeners wait for endpoints. */
  #waitingSinceMs: number | undefined;

  constructor(kind: StreamKind, drainMs: number, limitMs = ANSWER_LIMIT_MS) {
    this.#kind = kind;
    this.#limitMs = limitMs;
    this.#retention = new Retention(drainMs);
  }

  request(request: XdsRequest, nowMs: number): Answer | undefined {
    const { typeUrl } = request;
    const isNew = this.#subscription(typeUrl) === undefined;
    const answer =
      request.variant === 'delta' ? this.#changeNames(request, nowMs) : this.#listNames(request, nowMs);
    // What a reconnecting client brings along may be gone already.
    if (isNew && typeUrl === CLUSTER_TYPE && this.#snapshot !== undefined) this.#serve(this.#snapshot);
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
      const content = this.#subscription(typeUrl)?.repeated(this.#servedOf(typeUrl));
      if (content === undefined) continue;
      this.#lastNonce += 1;
      const nonce = String(this.#lastNonce);
      return { typeUrl, nonce, content, removed: [], fresh: [], initialForm: undefined };
    }
    return undefined;
  }

  /** When to ask for the next response although nothing else has happened; undefined: not before something does. */
  wakeAt(nowMs: number): number | undefined {
    if (this.#snapshot === undefined) return undefined;
    let earliest = Infinity;
    const consider = (time: number | undefined): void => {
      if (time !== undefined && time > nowMs && time < earliest) earliest = time;
    };
    for (const subscription of this.#world.values()) consider(subscription.wakeAt(nowMs));
    for (const subscription of this.#delta.values()) consider(subscription.wakeAt(nowMs));
    consider(this.#retention.wakeAt());
    if (this.#waitingSinceMs !== undefined) consider(this.#waitingSinceMs + this.#limitMs);
    return earliest === Infinity ? undefined : earliest;
  }

  /** undefined: the client has not asked for that type. */
  outcomeOf(type: TypeUrl, name: string, version: string): ResourceOutcome | undefined {
    return this.#subscription(type)?.outcomeOf(name, version);
  }

  states(): readonly SubscriptionState[] {
    return [...this.#world.values(), ...this.#delta.values()].map((subscription) => subscription.state());
  }

  /** How many names the client is subscribed to, beside the wildcard. */
  nameCount(type: TypeUrl): number {
    return this.#subscription(type)?.nameCount ?? 0;
  }

  #nextOf(type: TypeUrl, nowMs: number): Response | undefined {
    const nonce = String(this.#lastNonce + 1);
    const response = this.#subscription(type)?.next(this.#servedOf(type), nowMs, nonce);
    if (response === undefined) return undefined;
    this.#lastNonce += 1;
    // Envoy warms a changed cluster until its endpoints come, also if they are the same. In delta it does not even ask
    // for them, and it holds back its answer to the clusters meanwhile: so they follow at once.
    if (type === CLUSTER_TYPE) this.#subscription(ENDPOINTS_TYPE)?.touch(response.fresh);
    return response;
  }

  /**
   * Listeners leave after the clusters and endpoints of the same snapshot. Clusters are never held up for longer than
   * the limit; where endpoints are held up by turns with them, listeners wait for that no longer than it either.
   */
  #mustListenersWait(nowMs: number): boolean {
    if (this.#isBehind(CLUSTER_TYPE)) return true;
    if (!this.#isBehind(LISTENER_TYPE) || !this.#isBehind(ENDPOINTS_TYPE)) {
      this.#waitingSinceMs = undefined;
      return false;
    }
    this.#waitingSinceMs ??= nowMs;
    return nowMs < this.#waitingSinceMs + this.#limitMs;
  }

  #isBehind(type: TypeUrl): boolean {
    return this.#subscription(type)?.isBehind(this.#servedOf(type)) ?? false;
  }

  #confirmedListeners(): number {
    if (this.#kind.only === CLUSTER_TYPE) return this.#sequence;
    return this.#subscription(LISTENER_TYPE)?.confirmedSequence(this.#servedOf(LISTENER_TYPE)) ?? -1;
  }

  #serve(snapshot: Snapshot): void {
    const clusters = this.#subscription(CLUSTER_TYPE);
    // A client that started without clusters and has not asked for listeners has none: no reason to keep anything, and
    // a good one not to, since a cluster that never warms keeps it from asking.
    const hasNoListeners =
      this.#kind.only === undefined &&
      clusters?.startedEmpty === true &&
      this.#subscription(LISTENER_TYPE) === undefined;
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
      if (!isSame) this.#subscription(type)?.servedChanged();
    }
  }

  #servedOf(type: TypeUrl): Served {
    return (
      this.#served.get(type) ?? { resources: ResourceSet.empty, withheld: NOTHING, sequence: this.#sequence }
    );
  }

  #changeNames(request: DeltaRequest, nowMs: number): Answer | undefined {
    let subscription = this.#delta.get(request.typeUrl);
    if (subscription === undefined) {
      subscription = new DeltaSubscription(request.typeUrl, this.#limitMs);
      this.#delta.set(request.typeUrl, subscription);
    }
    return subscription.request(request, nowMs);
  }

  #listNames(request: WorldRequest, nowMs: number): Answer | undefined {
    let subscription = this.#world.get(request.typeUrl);
    if (subscription === undefined) {
      subscription = new WorldSubscription(request.typeUrl, this.#limitMs);
      this.#world.set(request.typeUrl, subscription);
    }
    return subscription.request(request, nowMs);
  }

  #subscription(type: TypeUrl): Subscription | undefined {
    return this.#world.get(type) ?? this.#delta.get(type);
  }
}
