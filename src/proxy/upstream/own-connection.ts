/**
 * A connection to Redis that one client has for itself: for transactions, blocking commands and subscriptions.
 */
import type { Connection } from '../wire/connection.ts';
import type { ConnectionOwner } from '../wire/connection-owner.ts';
import { REPLIES } from '../wire/encode.ts';
import { TRACKED } from '../topology/handshake.ts';
import type { Node } from '../topology/node.ts';
import { handOn, inFrontOf } from '../wire/reply-sink.ts';
import type { Request } from '../wire/request.ts';
import { refusalText } from './refusal.ts';
import { runsScript } from '../wire/script-words.ts';
import type { Upstream } from './upstream.ts';

const MINUS = 0x2d;

export class OwnConnection implements ConnectionOwner {
  readonly node: Node;
  readonly connection: Connection;
  /** Told once, when it is lost and not closed by us. */
  onLost: () => void = () => {};
  /** Told of every error reply that may be a refusal; true: it is taken care of. */
  onError: (request: Request, text: string) => boolean = () => false;
  /** Told of every command that is lost; true: it is taken care of. `wasSent`: it may have been carried out. */
  onUnanswered: (request: Request, wasSent: boolean) => boolean = () => false;
  readonly upstream: Upstream;
  /** Another node has by now what it is for. */
  isMisplaced: () => boolean = () => false;
  /** For how long what is sent without a request may be left unanswered. */
  patienceMs = Infinity;
  /** What was sent last may wait for ever. */
  mayBlock = false;
  /** What was sent leaves it as it was, once it is answered without an error. */
  leavesNothing = false;
  readonly #kind: number;
  #isClosing = false;
  #isReleased = false;

  constructor(upstream: Upstream, node: Node, kind: number) {
    this.upstream = upstream;
    upstream.ownConnections.add(this);
    this.node = node;
    this.#kind = node.kindNow(kind);
    this.connection = node.ownConnection(this.#kind, this);
  }

  send(request: Request | null, bytes: Uint8Array): void {
    if (this.connection.isClosed) {
      if (request !== null) this.lost(request, false);
      return;
    }
    this.connection.append(request, bytes, 0, bytes.length);
    if ((this.#kind & TRACKED) !== 0 && request !== null) this.#noteRead(request);
  }

  /** Redis remembers what scripts read, too. */
  #noteRead(request: Request): void {
    const { connection } = this;
    if (!connection.isRemembered) connection.isRemembered = request.isRead || runsScript(request);
  }

  /** A node that leaves a command unanswered for too long is not waited for: what it says later counts for nobody. */
  expire(now: number): void {
    if (this.connection.isHangingUp) return;
    if (this.isMisplaced()) return this.connection.giveUp('its place is at another node');
    if (this.mayBlock) return;
    let isLate = this.connection.waitingMs(now) > this.patienceMs;
    this.connection.overdue(now, ({ terms }, sentAt) => {
      isLate ||= sentAt + terms.opTimeoutMs < now;
    });
    if (isLate) this.connection.destroy('no answer in time');
  }

  /** The client has its reply, and needs it no more: somebody else may have it. */
  release(): void {
    const { upstream, node, connection } = this;
    if (
      !this.leavesNothing ||
      !connection.isAtRest ||
      !node.isUsable ||
      upstream.maxConnections !== undefined
    ) {
      return this.close();
    }
    this.#isReleased = true;
    upstream.ownConnections.delete(this);
    node.keep(connection, this.#kind);
  }

  close(): void {
    if (this.#isReleased) return;
    this.#isClosing = true;
    this.connection.destroy('no longer needed');
  }

  opened(): void {}

  heard(): void {}

  loginRefused(why: string): void {
    this.node.loginRefused(why);
  }

  refused(request: Request, bytes: Uint8Array, start: number, end: number): boolean {
    const text = refusalText(bytes, start, end);
    return text !== undefined && this.onError(request, text);
  }

  lost(request: Request, wasSent: boolean): void {
    if (this.onUnanswered(request, wasSent)) return;
    const reply = REPLIES.upstreamFailure;
    handOn(request.sink!, request, reply);
  }

  closed(): void {
    this.upstream.ownConnections.delete(this);
    this.node.disown(this.connection);
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.onLost();
  }
}

/** A connection of its own to the node that is found, once there is one, while its client waits. */
export function openOwn(
  upstream: Upstream,
  request: Request,
  find: () => Node | null,
  opened: (own: OwnConnection | undefined) => void,
): void {
  const node = find();
  if (node !== null && !upstream.isFull) {
    opened(new OwnConnection(upstream, node, request.connectionKind));
  } else if (
    request.sink!.isGone === true ||
    performance.now() > request.startedAt + upstream.settings.failoverWaitMs
  ) {
    opened(undefined);
  } else {
    upstream.ownConnections.inAMoment(request, () => openOwn(upstream, request, find, opened));
  }
}

/** What its client is told where none was opened. */
export function whyNotOpened(upstream: Upstream | undefined, place: number): Buffer {
  if (upstream?.isFull === true) return REPLIES.tooManyConnections;
  return upstream?.holderOf(place)?.refusing ?? REPLIES.noUpstreamHost;
}

/** The client's reply comes first, then the connection is given back; with the client it is closed at once. */
export function leaveAfterReply(
  client: { own(connection: OwnConnection): void; disown(connection: OwnConnection): void },
  request: Request,
  own: OwnConnection,
  then: () => void = () => {},
): void {
  const sink = request.sink!;
  client.own(own);
  request.sink = inFrontOf(sink, (answered, reply, start, end) => {
    client.disown(own);
    handOn(sink, answered, reply, start, end);
    if (reply[start] === MINUS) own.close();
    else own.release();
    then();
  });
}
