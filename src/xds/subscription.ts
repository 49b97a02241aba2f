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
import { ResourceSet, type Transition } from '../envoy/resource-set.ts';
import { Holdings } from './holdings.ts';
import { type Difference, NO_RESOURCES, type Served } from './served.ts';
import { NO_INITIAL_FORM, type InitialForm } from './initial-form.ts';
import { covers, Interest } from './interest.ts';
import { Outstanding, type SentResponse } from './outstanding.ts';
import { withoutContents } from './rejection.ts';
import type { XdsRequest } from './requests.ts';
import type { ResourceOutcome } from './snapshot-source.ts';

export interface Response extends Difference {
  readonly typeUrl: TypeUrl;
  /** The stream's; the content may be shared by many. */
  readonly nonce: string;
  /** Which resources are sent in the form for a client that has not got them yet. */
  readonly initialForm: InitialForm;
}

/** The client's answer to a response. */
export interface Answer {
  readonly outcome: 'accepted' | 'rejected';
  readonly content: Transition;
  /** Without the contents of resources; empty where it accepted. */
  readonly message: string;
}

const ACCEPTED: ResourceOutcome = { kind: 'accepted' };
const PENDING: ResourceOutcome = { kind: 'pending' };

export interface SubscriptionState {
  readonly typeUrl: TypeUrl;
  readonly sentVersion: string | undefined;
  readonly acknowledgedVersion: string | undefined;
  /** The client has said what it makes of the newest response. */
  readonly isAnswered: boolean;
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
  /** The client has something that it does not name; until it has been sent what there is. */
  protected isUnknown = false;
  /** What it holds in the form for a client that had not got it. */
  protected initialForm = NO_INITIAL_FORM;
  #sentVersion: string | undefined;
  #acknowledgedVersion: string | undefined;
  #confirmedSequence = -1;

  constructor(typeUrl: TypeUrl, limitMs: number) {
    this.typeUrl = typeUrl;
    this.interest = new Interest(typeUrl);
    this.outstanding = new Outstanding(limitMs);
  }

  /** Takes a request of the stream's variant in; says what it answers, if it answers a response. */
  abstract request(request: XdsRequest, nowMs: number): Answer | undefined;

  /** What there is to send, without sending it. */
  protected abstract compose(served: Served): Difference | undefined;

  /** Content that tells a client which has everything nothing new; undefined: there is no such. */
  abstract repeated(served: Served): Transition | undefined;

  /** Runs before anything is composed, with what has become due by then. */
  protected beforeNext(_nowMs: number): void {}

  protected afterSending(): void {}

  next(served: Served, nowMs: number, nonce: string): Response | undefined {
    this.beforeNext(nowMs);
    if (this.holdings.retryDue(nowMs)) this.mayLack = true;
    if (!this.mayLack || this.outstanding.blockedUntil(nowMs) !== undefined) return undefined;
    const difference = this.compose(served);
    this.mayLack = false;
    if (difference !== undefined) this.initialForm = this.#formAfter(difference);
    const lacking = this.isUnknown ? NO_RESOURCES : this.holdings.lacking(difference?.fresh ?? NO_RESOURCES);
    const novel = this.outstanding.without(lacking);
    this.isUnknown = false;
    this.holdings.sent(served, this.interest.scope);
    if (difference === undefined) return undefined;
    const { content, fresh, retried, removed } = difference;
    const initialForm = this.initialForm.within(content);
    this.outstanding.add({ nonce, content, fresh, novel, removed, sentMs: nowMs, sequence: served.sequence });
    this.#sentVersion = content.version;
    this.afterSending();
    return { typeUrl: this.typeUrl, nonce, content, removed, fresh, retried, initialForm };
  }

  /** `next` certainly has nothing to say, whatever the time is. Nearly all are, each time. */
  get isIdle(): boolean {
    return !this.mayLack && this.holdings.retryAt() === undefined;
  }

  /** There is something to send, which only an unanswered response can be holding up. */
  isBehind(served: Served): boolean {
    return this.mayLack && this.compose(served) !== undefined;
  }

  /** As if the client had asked for everything. */
  presume(): void {
    this.interest.wantAll();
    this.isUnknown = true;
    this.mayLack = true;
  }

  /** What is served has changed. */
  servedChanged(): void {
    this.mayLack = true;
  }

  /** Sends these again, though they are unchanged, if the client has subscribed to them. */
  touch(resources: readonly Resource[]): void {
    for (const { name } of resources) {
      if (!covers(this.interest.scope, name)) continue;
      this.holdings.touch(name);
      this.mayLack = true;
    }
  }

  /** What the client holds and the set lacks. */
  goneFrom(set: ResourceSet): readonly string[] {
    return this.holdings.goneFrom(set);
  }

  get nameCount(): number {
    return this.interest.scope.names.size;
  }

  /** When `next` may have something to say again without any other event; undefined: never. */
  wakeAt(nowMs: number): number | undefined {
    return this.mayLack ? this.outstanding.blockedUntil(nowMs) : this.holdings.retryAt();
  }

  /** Number of the newest snapshot since which the client is known to have nothing older. */
  confirmedSequence(served: Served): number {
    const isIdle = this.outstanding.isEmpty && !this.holdings.mayKeepOlder && !this.isBehind(served);
    if (isIdle) this.#confirmedSequence = served.sequence;
    return this.#confirmedSequence;
  }

  /** What the client made of that version of a resource, as far as it has said. */
  outcomeOf(name: string, version: string): ResourceOutcome {
    const { isSent, rejection } = this.holdings.outcomeOf(name, version);
    if (rejection !== undefined) return { kind: 'rejected', message: rejection };
    return isSent && !this.outstanding.brings(name) ? ACCEPTED : PENDING;
  }

  state(): SubscriptionState {
    return {
      typeUrl: this.typeUrl,
      sentVersion: this.#sentVersion,
      acknowledgedVersion: this.#acknowledgedVersion,
      isAnswered: this.outstanding.isEmpty,
      rejection: this.holdings.rejection,
    };
  }

  protected answered(response: SentResponse, error: string | undefined, nowMs: number): Answer {
    const { content, sequence } = response;
    if (error !== undefined) {
      this.holdings.refuse(response, error, nowMs, this.interest.scope);
      this.mayLack = true;
      return { outcome: 'rejected', content, message: withoutContents(error) };
    }
    this.accepted(response);
    this.#acknowledgedVersion = content.version;
    if (!this.holdings.mayKeepOlder) {
      this.#confirmedSequence = Math.max(this.#confirmedSequence, sequence);
    }
    return { outcome: 'accepted', content, message: '' };
  }

  protected accepted(response: SentResponse): void {
    this.holdings.accept(response);
  }

  #formAfter(difference: Difference): InitialForm {
    if (this.isUnknown) return NO_INITIAL_FORM;
    return this.initialForm.after(difference, (name) => this.holdings.has(name));
  }
}
