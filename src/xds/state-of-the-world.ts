/**
 * State-of-the-world subscriptions: each request lists all names. Clusters and listeners are answered with the full set,
 * in which absence means removal; endpoints with those that changed, and their absence means nothing.
 */
import { ENDPOINTS_TYPE, type Resource } from '../envoy/resource.ts';
import type { Served } from './holdings.ts';
import type { WorldRequest } from './requests.ts';
import { type Answer, type Content, Subscription } from './subscription.ts';
import { versionOf, versionOfAll } from './versions.ts';

export class WorldSubscription extends Subscription {
  #isFirst = true;
  #lastNonce: string | undefined;
  #hasAnswered = false;
  /** A full set is owed even if it is empty or known. */
  #isAnswerDue = false;
  /** The version that a reconnecting client brought along, until it has been compared with ours. */
  #broughtVersion = '';
  /** Names of a request that came too late; they count if no later one comes. */
  #lateNames: readonly string[] | undefined;

  /** Takes a request in; says what it answers, if it answers a response. */
  request({ version, names, nonce, error }: WorldRequest, nowMs: number): Answer | undefined {
    if (this.#isFirst && version === '') this.startEmpty();
    // A nonce is only looked at once there is one of ours: an older Envoy repeats that of the stream before.
    if (this.#lastNonce === undefined) {
      if (this.#isFirst) this.#broughtVersion = version;
      this.#isFirst = false;
      this.#subscribe(names);
      return undefined;
    }
    if (nonce === this.#lastNonce) return this.#answer(names, error);
    if (nonce === '') {
      // Before the first answer it has merely crossed our response; else the client starts this type anew.
      if (this.#hasAnswered || this.outstanding.isEmpty) this.#startAnew(version);
      this.#subscribe(names);
      return undefined;
    }
    if (this.outstanding.blockedUntil(nowMs) === undefined) {
      this.#subscribe(names);
      return undefined;
    }
    this.#lateNames = names;
    this.mayLack = true;
    return undefined;
  }

  protected override beforeNext(nowMs: number): void {
    if (this.#lateNames === undefined || this.outstanding.blockedUntil(nowMs) !== undefined) return;
    this.#subscribe(this.#lateNames);
  }

  protected compose(served: Served): Content | undefined {
    this.#compareBroughtVersion(served);
    const { changed, removed } = this.holdings.difference(served, this.interest);
    if (this.#isFullSet) {
      if (changed.length === 0 && removed.length === 0 && !this.#isAnswerDue) return undefined;
      return { version: this.#version(served), resources: this.#covered(served), removed };
    }
    for (const name of removed) this.holdings.forget(name);
    if (changed.length === 0) return undefined;
    return { version: this.#version(served), resources: changed, removed: [] };
  }

  protected override afterSending(): void {
    this.#lastNonce = this.outstanding.newest?.nonce;
    this.#isAnswerDue = false;
  }

  get #isFullSet(): boolean {
    return this.typeUrl !== ENDPOINTS_TYPE;
  }

  #answer(names: readonly string[], error: string | undefined): Answer | undefined {
    const response = this.#lastNonce === undefined ? undefined : this.outstanding.take(this.#lastNonce);
    const answer = response === undefined ? undefined : this.answered(response, error);
    this.#hasAnswered = true;
    this.#subscribe(names);
    return answer;
  }

  #startAnew(version: string): void {
    this.outstanding.clear();
    this.holdings.forgetAllBut(() => false);
    for (const name of this.interest.names) this.holdings.ask(name);
    this.#isAnswerDue = this.interest.isWildcard;
    this.#broughtVersion = version;
    this.#hasAnswered = false;
    this.mayLack = true;
  }

  #subscribe(names: readonly string[]): void {
    this.#lateNames = undefined;
    const { asked, dropped, wildcard } = this.interest.replace(names);
    for (const name of asked) this.holdings.ask(name);
    if (wildcard === 'gained') this.#isAnswerDue = true;
    if (wildcard === 'lost') this.holdings.forgetAllBut((name) => this.interest.covers(name));
    for (const name of dropped) if (!this.interest.covers(name)) this.holdings.forget(name);
    if (asked.length > 0 || wildcard !== 'unchanged') this.mayLack = true;
  }

  /** A client that wants everything and has it need not be told; names are always answered. */
  #compareBroughtVersion(served: Served): void {
    const version = this.#broughtVersion;
    this.#broughtVersion = '';
    if (version === '' || !this.interest.isWildcard || version !== this.#version(served)) return;
    this.holdings.adopt(this.#covered(served).map((resource) => [resource.name, resource.version]));
    this.#isAnswerDue = false;
  }

  #version(served: Served): string {
    return this.interest.isWildcard ? versionOfAll(served.resources) : versionOf(this.#covered(served));
  }

  #covered({ resources }: Served): readonly Resource[] {
    if (this.interest.isWildcard) return [...resources.values()];
    return [...this.interest.names].flatMap((name) => resources.get(name) ?? []);
  }
}
