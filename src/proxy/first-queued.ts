/**
 * The command of a transaction that says where it goes. Until Redis has queued it (or watches, where it is WATCH) nothing
 * has happened: where it is refused or lost the transaction begins anew, at the node that has its keys by then.
 */
import type { Node } from './node.ts';
import type { OwnConnection } from './own-connection.ts';
import { MAX_HOPS, readRefusal } from './refusal.ts';
import type { Request } from './request.ts';
import type { Session } from './session.ts';
import type { Upstream } from './upstream.ts';

const RETRY_MS = 20;

interface Beginning {
  /** Another connection, on which the transaction has begun. */
  readonly open: (node: Node, isAsking: boolean) => OwnConnection;
  readonly giveUp: () => void;
}

export class FirstQueued {
  readonly request: Request;
  readonly #session: Session;
  readonly #upstream: Upstream;
  readonly #bytes: Buffer;
  readonly #beginning: Beginning;

  constructor(session: Session, upstream: Upstream, request: Request, bytes: Buffer, beginning: Beginning) {
    this.#session = session;
    this.#upstream = upstream;
    this.request = request;
    this.#bytes = bytes;
    this.#beginning = beginning;
  }

  send(own: OwnConnection): void {
    own.send(this.request, this.#bytes);
  }

  /** True: another node gets it, or the same one later. */
  refused(own: OwnConnection, text: string): boolean {
    const { request } = this;
    const refusal = readRefusal(text);
    if (refusal === undefined || this.#isLate()) return false;
    const isRedirection = refusal.kind === 'moved' || refusal.kind === 'ask';
    if (isRedirection && !request.terms.followRedirections) return false;
    if (isRedirection && request.hops === MAX_HOPS) return false;
    const named = isRedirection ? this.#upstream.redirected(request, refusal, own.node) : undefined;
    // What its upstream can't follow would be refused likewise again and again.
    if (isRedirection && named === undefined) return false;
    const isThere = named?.isUsable === true;
    if (!isThere && this.#session.isGone) return false;
    if (isThere) request.hops += 1;
    if (refusal.kind === 'unfit') own.node.update({ unfit: refusal.word });
    if (refusal.kind === 'torn') this.#upstream.noteMoving(request.place);
    own.close();
    if (isThere) this.send(this.#beginning.open(named, refusal.kind === 'ask'));
    else this.#later();
    return true;
  }

  /** True: it is asked again. */
  unanswered(): boolean {
    if (this.#isLate() || this.#session.isGone) return false;
    this.#later();
    return true;
  }

  #later(): void {
    setTimeout(() => {
      const node = this.#upstream.primaryFor(this.request.place);
      // Who has gone may have asked again elsewhere.
      if (this.#isLate() || this.#session.isGone) this.#beginning.giveUp();
      else if (node === null || this.#upstream.isFull) this.#later();
      else this.send(this.#beginning.open(node, false));
    }, RETRY_MS);
  }

  #isLate(): boolean {
    if (this.#session.isEnding) return true;
    return performance.now() > this.request.startedAt + this.#upstream.settings.failoverWaitMs;
  }
}
