/**
 * One type on one stream: what both variants have in common.
 *
 *            request ──> what the client said of an earlier response
 *   served, time, nonce ──> the next response, or nothing
 *
 * Knows no network and no clock. The caller asks for responses (`next`) whenever it could write one, so a slow client
 * costs nothing: it is given the newest state when it can take it, and none of the states in between.
 */
import type { Resource, TypeUrl } from '../envoy/resource.ts';
import { Holdings, type Recorded, type Served } from './holdings.ts';
import { Interest } from './interest.ts';
import { Outstanding, type SentResponse } from './outstanding.ts';
import { withoutContents } from './rejection.ts';

/** What a response says; the nonce is the stream's. */
export interface Content {
  readonly version: string;
  readonly resources: readonly Resource[];
  readonly removed: readonly string[];
}

export interface Response extends Content, Recorded {
  readonly typeUrl: TypeUrl;
  readonly nonce: string;
}

/** The client's answer to a response. */
export interface Answer {
  readonly outcome: 'accepted' | 'rejected';
  readonly resources: readonly Resource[];
  /** Without the contents of resources; empty where it accepted. */
  readonly message: string;
}

export interface SubscriptionState {
  readonly typeUrl: TypeUrl;
  readonly sentVersion: string | undefined;
  readonly acknowledgedVersion: string | undefined;
  readonly rejection: string | undefined;
}

export abstract class Subscription {
  readonly typeUrl: TypeUrl;
  /** The client said in its first request that it knows no version. */
  startedEmpty = false;
  protected readonly interest: Interest;
  protected readonly holdings = new Holdings();
  protected readonly outstanding: Outstanding;
  /** Something may have to be sent; false: certainly nothing. */
  protected mayLack = true;
  #isInitialDue = false;
  #sentVersion: string | undefined;
  #acknowledgedVersion: string | undefined;
  #confirmedSequence = -1;

  constructor(typeUrl: TypeUrl, limitMs: number) {
    this.typeUrl = typeUrl;
    this.interest = new Interest(typeUrl);
    this.outstanding = new Outstanding(limitMs);
  }

  /** What there is to send, without sending it. */
  protected abstract compose(served: Served): Content | undefined;

  /** Runs before anything is composed, with what has become due by then. */
  protected beforeNext(_nowMs: number): void {}

  protected afterSending(): void {}

  next(served: Served, nowMs: number, nonce: string): Response | undefined {
    this.beforeNext(nowMs);
    if (!this.mayLack || this.outstanding.blockedUntil(nowMs) !== undefined) return undefined;
    const content = this.compose(served);
    this.mayLack = false;
    if (content === undefined) {
      this.holdings.settleDebts(served);
      return undefined;
    }
    const { resources, removed, version } = content;
    const recorded = this.holdings.record(resources, removed, this.#isInitialDue);
    this.#isInitialDue = false;
    this.outstanding.add({ nonce, version, sentMs: nowMs, sequence: served.sequence, resources, removed });
    this.#sentVersion = version;
    this.afterSending();
    return { typeUrl: this.typeUrl, nonce, version, resources, removed, ...recorded };
  }

  /** There is something to send, which only an unanswered response can be holding up. */
  isBehind(served: Served): boolean {
    return this.mayLack && this.compose(served) !== undefined;
  }

  /** What is served has changed. */
  servedChanged(): void {
    this.mayLack = true;
  }

  /** Sends these again, though they are unchanged, if the client has subscribed to them. */
  touch(names: readonly string[]): void {
    for (const name of names) {
      if (!this.interest.covers(name)) continue;
      this.holdings.touch(name);
      this.mayLack = true;
    }
  }

  holds(name: string): boolean {
    return this.holdings.has(name);
  }

  heldNames(): Iterable<string> {
    return this.holdings.names();
  }

  /** When `next` may have something to say again without any other event; undefined: never. */
  wakeAt(nowMs: number): number | undefined {
    return this.mayLack ? this.outstanding.blockedUntil(nowMs) : undefined;
  }

  /** Number of the newest snapshot that the client is known to have taken, whole. */
  confirmedSequence(served: Served): number {
    const isIdle =
      this.outstanding.isEmpty && this.holdings.rejection === undefined && !this.isBehind(served);
    if (isIdle) this.#confirmedSequence = served.sequence;
    return this.#confirmedSequence;
  }

  state(): SubscriptionState {
    return {
      typeUrl: this.typeUrl,
      sentVersion: this.#sentVersion,
      acknowledgedVersion: this.#acknowledgedVersion,
      rejection: this.holdings.rejection,
    };
  }

  protected startEmpty(): void {
    this.startedEmpty = true;
    this.#isInitialDue = true;
  }

  protected answered(response: SentResponse, error: string | undefined): Answer {
    const { resources } = response;
    if (error !== undefined) {
      this.holdings.refuse(response, error);
      this.mayLack = true;
      return { outcome: 'rejected', resources, message: withoutContents(error) };
    }
    this.holdings.accept(response);
    this.#acknowledgedVersion = response.version;
    if (this.holdings.rejection === undefined) {
      this.#confirmedSequence = Math.max(this.#confirmedSequence, response.sequence);
    }
    return { outcome: 'accepted', resources, message: '' };
  }
}
