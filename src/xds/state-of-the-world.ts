/**
 * State-of-the-world subscriptions: each request lists all names. Clusters and listeners are answered with the full set,
 * in which absence means removal; endpoints with those that changed, and their absence means nothing.
 */
import { ENDPOINTS_TYPE, LISTENER_TYPE } from '../envoy/resource.ts';
import { ResourceSet, type Transition } from '../envoy/resource-set.ts';
import type { SentResponse } from './outstanding.ts';
import type { Difference, Served } from './served.ts';
import { InitialForm } from './initial-form.ts';
import { covers, type Scope } from './interest.ts';
import type { XdsRequest } from './requests.ts';
import { type Answer, Subscription } from './subscription.ts';

/** A client that changes its mind more often than that between two responses may have to ask again. */
const MOST_LATE = 16;

/**
 * Between the version of a set and what of it the client has in initial form: to who comes back with that set, the other form
 * would be another cluster, and a change of one would rebuild all of them (seen with Envoy 1.40).
 */
const FORM_FOLLOWS = '.';

/** As the client brings it along when it comes back. */
export function versionOf({ version, resources }: Transition, initialForm: InitialForm): string {
  const mask = initialForm.maskOf(resources);
  return mask === '' ? version : `${version}${FORM_FOLLOWS}${mask}`;
}

const fullSets = new WeakMap<ResourceSet, Transition>();

export class WorldSubscription extends Subscription {
  #isFirst = true;
  #lastNonce: string | undefined;
  #hasAnswered = false;
  /** A full set is owed even if it is empty or known. */
  #isAnswerDue = false;
  /** The version that a reconnecting client brought along, until it has been compared with ours. */
  #broughtVersion = '';
  /** Names of requests that came too late: they count with the next answer, or when none comes. */
  #late: readonly (readonly string[])[] = [];

  override request(request: XdsRequest, nowMs: number): Answer | undefined {
    if (request.variant === 'delta') throw new TypeError('a request of another variant than the stream');
    const { version, names, nonce, error } = request;
    if (this.#isFirst && version === '') this.startedEmpty = true;
    // A nonce is only looked at once there is one of ours: an older Envoy repeats that of the stream before.
    if (this.#lastNonce === undefined) {
      if (this.#isFirst) {
        this.#broughtVersion = version;
        this.isUnknown = version !== '';
      }
      this.#isFirst = false;
      this.#subscribe(names);
      return undefined;
    }
    if (nonce === this.#lastNonce) return this.#answer(names, error, nowMs);
    if (nonce === '') {
      // Before the first answer it has merely crossed our response; else the client starts this type anew.
      if (this.#hasAnswered || this.outstanding.isEmpty) this.#startAnew(version);
      this.#subscribe(names);
      return undefined;
    }
    if (this.outstanding.blockedUntil(nowMs) === undefined) this.#subscribe(names);
    else {
      this.#late = [...this.#late, names].slice(-MOST_LATE);
      this.mayLack = true;
    }
    return this.#lateAnswer(nonce, error, nowMs);
  }

  protected override beforeNext(nowMs: number): void {
    const newest = this.#late.at(-1);
    if (newest !== undefined && this.outstanding.blockedUntil(nowMs) === undefined) this.#subscribe(newest);
  }

  protected compose(served: Served): Difference | undefined {
    this.#compareBroughtVersion(served);
    const { scope } = this.interest;
    const difference = this.holdings.difference(served, scope);
    const { removed } = difference;
    const { resources } = difference.content;
    if (!this.#isFullSet) {
      this.holdings.endRefusals(removed);
      return resources.length > 0 ? { ...difference, removed: [] } : undefined;
    }
    if (resources.length + removed.length === 0 && !this.#isAnswerDue) return undefined;
    return { ...difference, content: fullSet(served.resources, scope) };
  }

  /** Listeners only: which of its two forms a cluster has in the client is not known here. */
  override repeated({ resources }: Served): Transition | undefined {
    const { scope } = this.interest;
    return this.typeUrl === LISTENER_TYPE && scope.isWildcard ? fullSet(resources, scope) : undefined;
  }

  protected override afterSending(): void {
    this.#lastNonce = this.outstanding.newest?.nonce;
    this.#isAnswerDue = false;
  }

  /** Who takes a full set has what it has, and nothing else. */
  protected override accepted(response: SentResponse): void {
    if (this.#isFullSet) this.holdings.endAllRefusals();
    else super.accepted(response);
  }

  get #isFullSet(): boolean {
    return this.typeUrl !== ENDPOINTS_TYPE;
  }

  #answer(names: readonly string[], error: string | undefined, nowMs: number): Answer | undefined {
    const response = this.#lastNonce === undefined ? undefined : this.outstanding.take(this.#lastNonce);
    const answer = response === undefined ? undefined : this.answered(response, error, nowMs);
    this.#hasAnswered = true;
    this.#subscribe(names);
    return answer;
  }

  /** A later full set answers for an earlier one; endpoints hold only what changed, so each answer counts. */
  #lateAnswer(nonce: string, error: string | undefined, nowMs: number): Answer | undefined {
    const response = this.#isFullSet ? undefined : this.outstanding.take(nonce);
    return response === undefined ? undefined : this.answered(response, error, nowMs);
  }

  #startAnew(version: string): void {
    this.outstanding.clear();
    this.holdings.forgetAllBut(() => false);
    const { isWildcard, names } = this.interest.scope;
    for (const name of names) this.holdings.ask(name);
    this.#isAnswerDue = isWildcard;
    this.#broughtVersion = version;
    this.isUnknown = true;
    this.#hasAnswered = false;
    this.mayLack = true;
  }

  #subscribe(names: readonly string[]): void {
    // One after the other: what the client gave up in between it has forgotten.
    for (const earlier of this.#late) this.#replace(earlier);
    this.#late = [];
    this.#replace(names);
  }

  #replace(names: readonly string[]): void {
    const { asked, dropped, wildcard } = this.interest.replace(names);
    const { scope } = this.interest;
    for (const name of asked) this.holdings.ask(name);
    if (wildcard === 'gained') this.#isAnswerDue = true;
    if (wildcard === 'lost') this.holdings.forgetAllBut((name) => covers(scope, name));
    for (const name of dropped) if (!covers(scope, name)) this.holdings.forget(name);
    if (asked.length > 0 || wildcard !== 'unchanged') this.mayLack = true;
  }

  /** A client that wants everything and has it need not be told; names are always answered. */
  #compareBroughtVersion(served: Served): void {
    const [version = '', mask = ''] = this.#broughtVersion.split(FORM_FOLLOWS);
    this.#broughtVersion = '';
    const { scope } = this.interest;
    if (version === '' || !scope.isWildcard || version !== served.resources.version) return;
    this.holdings.assume(served, scope);
    this.initialForm = InitialForm.ofMask(mask, served.resources);
    this.isUnknown = false;
    this.#isAnswerDue = false;
  }
}

/** Everything in scope: what is absent is removed. Shared where it is all there is, and only then of that version. */
function fullSet(set: ResourceSet, { isWildcard, names }: Scope): Transition {
  const { version, list } = set;
  if (!isWildcard) {
    const named = ResourceSet.of(list.filter(({ name }) => names.has(name)));
    return { version: named.version, resources: named.list, removed: [] };
  }
  let content = fullSets.get(set);
  if (content === undefined) {
    content = { version, resources: list, removed: [] };
    fullSets.set(set, content);
  }
  return content;
}
