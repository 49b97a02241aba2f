/**
 * What nothing can be sent to: its password was never known, or it names no server. Every command fails at once.
 */
import type { Connection } from '../wire/connection.ts';
import { REPLIES } from '../wire/encode.ts';
import type { Node } from '../topology/node.ts';
import type { Request } from '../wire/request.ts';
import { Upstream } from './upstream.ts';

export class UnavailableUpstream extends Upstream {
  readonly isReady = true;
  readonly #problem: string;

  constructor(problem = 'it is not in the plan') {
    super({ hedgeAfterMs: 0, failoverWaitMs: 0 });
    this.#problem = problem;
  }

  override get problem(): string {
    return this.#problem;
  }

  override send(request: Request): Connection | null {
    // Not at once: a client that asks much has as little under way as it has with others.
    setImmediate(() => this.answer(request, REPLIES.upstreamFailure));
    return null;
  }

  placeOf(): number {
    return 0;
  }

  anyPlace(): number {
    return 0;
  }

  nodeFor(): null {
    return null;
  }

  protected nodes(): Iterable<Node> {
    return [];
  }

  protected conversation(): undefined {
    return undefined;
  }

  redirected(): undefined {
    return undefined;
  }

  changed(): void {}
}
