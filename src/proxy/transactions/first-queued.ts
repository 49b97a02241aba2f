/**
 * The command of a transaction that says where it goes. Until Redis has queued it (or watches, where it is WATCH) nothing
 * has happened: where it is refused or lost the transaction begins anew, at the node that has its keys by then.
 */
import { REPLIES, encodeError } from '../wire/encode.ts';
import type { Node } from '../topology/node.ts';
import { giveOwnBytes } from '../wire/own-bytes.ts';
import type { OwnConnection } from '../upstream/own-connection.ts';
import { readRefusal } from '../upstream/refusal.ts';
import type { Request } from '../wire/request.ts';
import type { Session } from '../client/session.ts';
import type { Upstream } from '../upstream/upstream.ts';
import { whereNext } from '../upstream/where-next.ts';

interface Beginning {
  /** Another connection, on which the transaction has begun. */
  readonly open: (node: Node, isAsking: boolean) => OwnConnection;
  readonly giveUp: (why: Buffer) => void;
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
    const refusal = readRefusal(text);
    if (refusal === undefined) return false;
    const isRedirection = refusal.kind === 'moved' || refusal.kind === 'ask';
    const next = whereNext(this.request, refusal, this.#upstream, own.node);
    if (next === undefined) return false;
    if (next === 'later' && isRedirection && this.#isLate()) return false;
    own.close();
    if (next === 'nowhere') this.#beginning.giveUp(REPLIES.tooManyRedirections);
    else if (next === 'later') this.#later(isRedirection ? REPLIES.noUpstreamHost : encodeError(text));
    else this.send(this.#beginning.open(next.node, next.isAsking));
    return true;
  }

  /** True: it is asked again. */
  unanswered(): boolean {
    if (this.#isLate() || this.#session.isGone) return false;
    this.#later(REPLIES.noUpstreamHost);
    return true;
  }

  /** `reply`: why nobody has carried it out so far. */
  #later(reply: Buffer): void {
    // Its upstream looks into them for where it goes by then.
    giveOwnBytes(this.request, this.#bytes, 0, this.#bytes.length);
    this.#tryLater(reply);
  }

  #tryLater(reply: Buffer): void {
    const upstream = this.#upstream;
    upstream.ownConnections.inAMoment(this.request, () => {
      const { isFull } = upstream;
      const node = isFull ? null : upstream.nodeFor(this.request);
      // Who has gone may have asked again elsewhere.
      const isOver = this.#isLate() || this.#session.isGone;
      if (isOver) this.#beginning.giveUp(isFull ? REPLIES.tooManyConnections : reply);
      else if (node === null) this.#tryLater(reply);
      else this.send(this.#beginning.open(node, false));
    });
  }

  #isLate(): boolean {
    if (this.#session.isEnding) return true;
    return performance.now() > this.request.startedAt + this.#upstream.settings.failoverWaitMs;
  }
}
