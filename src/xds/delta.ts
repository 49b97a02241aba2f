/**
 * Incremental subscriptions (delta xDS): names come and go, responses hold what changed and what is gone.
 */
import { ENDPOINTS_TYPE } from '../envoy/resource.ts';
import type { Transition } from '../envoy/resource-set.ts';
import type { Difference, Served } from './served.ts';
import { covers } from './interest.ts';
import type { XdsRequest } from './requests.ts';
import { type Answer, Subscription } from './subscription.ts';

export class DeltaSubscription extends Subscription {
  #isFirst = true;
  /** A client that starts waits for clusters and listeners even if there are none. */
  #isAnswerDue = false;

  override request(request: XdsRequest, nowMs: number): Answer | undefined {
    if (request.variant !== 'delta') throw new TypeError('a request of another variant than the stream');
    const { subscribe, unsubscribe, known, nonce, error } = request;
    const answeredResponse = nonce === '' ? undefined : this.outstanding.take(nonce);
    const answer = answeredResponse === undefined ? undefined : this.answered(answeredResponse, error, nowMs);
    const isFirst = this.#isFirst;
    this.#isFirst = false;
    if (isFirst) {
      // Its own account counts, whatever it was sent before it asked.
      this.holdings.forgetAllBut(() => false);
      this.holdings.adopt(known);
      if (known.size === 0) this.startedEmpty = true;
    }

    const change = this.interest.change(subscribe, unsubscribe);
    const { scope } = this.interest;
    if (isFirst) {
      // What the client knows but did not subscribe to is nothing to us.
      this.holdings.forgetAllBut((name) => covers(scope, name));
      this.#isAnswerDue = this.startedEmpty && scope.isWildcard;
    }
    for (const name of change.asked) {
      // Known names are not answered with what is known, except endpoints: their cluster may be waiting for them.
      if (isFirst && known.has(name) && this.typeUrl !== ENDPOINTS_TYPE) continue;
      this.holdings.ask(name);
    }
    if (change.wildcard === 'gained') this.#expectUnanswered();
    if (change.wildcard === 'lost') this.holdings.forgetAllBut((name) => covers(scope, name));
    for (const name of change.dropped) {
      // Under a wildcard the client can't tell whether the name is still covered, so it has to be told.
      if (scope.isWildcard) this.holdings.ask(name);
      else this.holdings.forget(name);
    }
    if (isFirst || change.asked.length > 0 || change.dropped.length > 0 || change.wildcard !== 'unchanged') {
      this.mayLack = true;
    }
    return answer;
  }

  /** What is on its way to a client that gave up "*" and asks for it again arrives after both: it holds that. */
  #expectUnanswered(): void {
    const unknown = this.outstanding.names().filter((name) => !this.holdings.has(name));
    this.holdings.adopt(unknown.map((name) => [name, '']));
  }

  protected compose(served: Served): Difference | undefined {
    const difference = this.holdings.difference(served, this.interest.scope);
    const { resources, removed } = difference.content;
    return resources.length + removed.length > 0 || this.#isAnswerDue ? difference : undefined;
  }

  override repeated({ resources }: Served): Transition | undefined {
    if (!this.interest.scope.isWildcard) return undefined;
    return { version: resources.version, resources: [], removed: [] };
  }

  protected override afterSending(): void {
    this.#isAnswerDue = false;
  }
}
