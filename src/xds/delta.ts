/**
 * Incremental subscriptions (delta xDS): names come and go, responses hold what changed and what is gone.
 */
import { ENDPOINTS_TYPE } from '../envoy/resource.ts';
import type { Served } from './holdings.ts';
import type { DeltaRequest } from './requests.ts';
import { type Answer, type Content, Subscription } from './subscription.ts';
import { versionOfAll } from './versions.ts';

export class DeltaSubscription extends Subscription {
  #isFirst = true;
  /** A client that starts waits for clusters and listeners even if there are none. */
  #isAnswerDue = false;

  /** Takes a request in; says what it answers, if it answers a response. */
  request({ subscribe, unsubscribe, known, nonce, error }: DeltaRequest): Answer | undefined {
    const answeredResponse = nonce === '' ? undefined : this.outstanding.take(nonce);
    const answer = answeredResponse === undefined ? undefined : this.answered(answeredResponse, error);
    const isFirst = this.#isFirst;
    this.#isFirst = false;
    if (isFirst) {
      this.holdings.adopt(known);
      if (known.size === 0) this.startEmpty();
    }

    const change = this.interest.change(subscribe, unsubscribe);
    if (isFirst) {
      // What the client knows but did not subscribe to is nothing to us.
      this.holdings.forgetAllBut((name) => this.interest.covers(name));
      this.#isAnswerDue = this.startedEmpty && this.interest.isWildcard;
    }
    for (const name of change.asked) {
      // Known names are not answered with what is known, except endpoints: their cluster may be waiting for them.
      if (isFirst && known.has(name) && this.typeUrl !== ENDPOINTS_TYPE) continue;
      this.holdings.ask(name);
    }
    if (change.wildcard === 'lost') this.holdings.forgetAllBut((name) => this.interest.covers(name));
    for (const name of change.dropped) {
      // Under a wildcard the client can't tell whether the name is still covered, so it has to be told.
      if (this.interest.isWildcard) this.holdings.ask(name);
      else this.holdings.forget(name);
    }
    if (isFirst || change.asked.length > 0 || change.dropped.length > 0 || change.wildcard !== 'unchanged') {
      this.mayLack = true;
    }
    return answer;
  }

  protected compose(served: Served): Content | undefined {
    const { changed, removed } = this.holdings.difference(served, this.interest);
    if (changed.length === 0 && removed.length === 0 && !this.#isAnswerDue) return undefined;
    return { version: versionOfAll(served.resources), resources: changed, removed };
  }

  protected override afterSending(): void {
    this.#isAnswerDue = false;
  }
}
