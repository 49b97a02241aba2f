/**
 * One command that waits, at whoever has its key. Where that one refuses it, or is lost while it waits, it is asked again of
 * whoever has the key by then: as long as it waits nothing has been carried out. An element that was popped in the moment in
 * which its node died nobody can have any more, whatever we say; an error would only have the client ask the same again.
 */
import { REPLIES, encodeError } from '../wire/encode.ts';
import type { Owned } from '../client/leaving.ts';
import type { Node } from '../topology/node.ts';
import { RESP3, TRACKED } from '../topology/handshake.ts';
import { OwnConnection, whyNotOpened } from '../upstream/own-connection.ts';
import { ASKING, parseRefusal, readRefusal, type Refusal } from '../upstream/refusal.ts';
import { giveOwnBytes } from '../wire/own-bytes.ts';
import { handOn, inFrontOf } from '../wire/reply-sink.ts';
import type { Request } from '../wire/request.ts';
import type { Routing } from '../client/routing.ts';
import type { Session } from '../client/session.ts';
import { timeLimitMs, withTimeLeft } from './time-limit.ts';
import type { Upstream } from '../upstream/upstream.ts';
import { whereNext } from '../upstream/where-next.ts';

const MINUS = 0x2d;

/** What Redis 7.0 and Valkey 9.1 say to all of them when the time is over. */
const NOTHING = { resp2: Buffer.from('*-1\r\n'), resp3: Buffer.from('_\r\n') };

const MAY_BE_DONE = encodeError(
  'upstream failure: the command got no answer, and may have been carried out; look before you send it again',
);
/** To WAIT. */
const MAY_BE_LOST = encodeError(
  'upstream failure: a primary is lost, and maybe what was written to it last; read it back',
);

/** What is refused later than that was waiting: now it is looked for anew who takes it. */
const WAITED_MS = 1_000;

/** Where it is to wait, and as what. */
export interface Goal {
  readonly upstream: Upstream;
  readonly place: number;
  readonly message: Buffer;
}

export class WaitingCommand implements Owned {
  readonly isWaiting = true;
  readonly #session: Session;
  readonly #request: Request;
  /** What goes before it over the same connection, and is about what was written to that node: it can't be elsewhere. */
  readonly #before: readonly Buffer[];
  readonly #search: () => Goal | Buffer;
  #goal: Goal;
  /** By which that was found, or is right as well. */
  #routing: Routing;
  #own: OwnConnection | undefined;
  #sentAt = 0;
  /** When its client has waited long enough; undefined: as far as is known nobody has begun to wait for it. */
  #until: number | undefined;
  /** Whether something was carried out, nobody knows. */
  #isLost = false;
  /** For its client: nobody else is asked. */
  #isLetGo = false;

  /** `search`: its goal by the routing of then; a Buffer: why there is none. */
  constructor(
    session: Session,
    request: Request,
    { goal, search, before = [] }: { goal: Goal; search: () => Goal | Buffer; before?: readonly Buffer[] },
    answered: () => void,
  ) {
    this.#session = session;
    this.#request = request;
    this.#before = before;
    this.#goal = goal;
    this.#routing = session.home.routing;
    this.#search = search;
    // Nothing that its client may keep: it needs no connection that is kept for that.
    if (!request.isRead) request.connectionKind &= ~TRACKED;
    session.own(this);
    const sink = request.sink!;
    request.sink = inFrontOf(sink, (which, reply, start, end) => {
      session.disown(this);
      // What is behind it was held up by its nature, or by there being nobody.
      if (this.#own !== undefined && parseRefusal(reply, start, end) === undefined) session.countAnew();
      handOn(sink, which, reply, start, end);
      this.#leave(reply[start] !== MINUS);
      answered();
    });
  }

  /** Its reply may never come: a client that ends its direction is let go. */
  get mayBlock(): boolean {
    return this.#sentAt > 0;
  }

  open(): void {
    const request = this.#request;
    const { upstream, place, message } = this.#goal;
    request.place = place;
    // Where servers have come or gone meanwhile, they say where it goes.
    giveOwnBytes(request, message, 0, message.length);
    const node = upstream.isFull ? null : upstream.nodeFor(request);
    // Nor for somebody who may have gone.
    if (this.#isUnwanted) this.#giveUp(whyNotOpened(upstream, place));
    else if (node !== null) this.#send(new OwnConnection(upstream, node, request.connectionKind));
    else if (performance.now() > this.#lastTry) this.#giveUp(whyNotOpened(upstream, place));
    else this.#openLater();
  }

  close(): void {
    this.#own?.close();
  }

  /** What has been taken for its client already is its client's; else that is put out, as by Redis. */
  letGo(): void {
    this.#isLetGo = true;
    if (this.#own === undefined) this.#session.destroy();
    else this.#own.connection.giveUp('its client no longer waits');
  }

  #send(own: OwnConnection, isAsking = false): void {
    this.#own = own;
    this.#sentAt = performance.now();
    own.mayBlock = true;
    own.leavesNothing = true;
    own.isMisplaced = this.#hasMoved(own.node);
    own.onError = (_, text) => this.#refused(own, readRefusal(text));
    own.onUnanswered = (_, wasSent) => this.#unanswered(own, wasSent);
    for (const command of isAsking ? [...this.#before, ASKING] : this.#before) own.send(null, command);
    const { message } = this.#goal;
    const isAgain = this.#until !== undefined;
    own.send(this.#request, isAgain ? withTimeLeft(message, this.#until! - this.#sentAt) : message);
  }

  /** True: somebody else gets it, or the same node later. */
  #refused(own: OwnConnection, refusal: Refusal | undefined): boolean {
    if (refusal === undefined) return false;
    // It is somewhere else already that it is to go.
    if (own.connection.isHangingUp) return this.#unanswered(own, false);
    const { node } = own;
    if (performance.now() > this.#sentAt + WAITED_MS) this.#hasWaited();
    if (this.#isOver) return this.#endsOtherwise();
    const request = this.#request;
    const { upstream } = this.#goal;
    const next = whereNext(request, refusal, upstream, node);
    if (next === undefined) return false;
    if (next === 'later' && !this.#mayGoOn()) return this.#endsOtherwise();
    this.#leave();
    if (next === 'nowhere') this.#giveUp(REPLIES.tooManyRedirections);
    else if (next === 'later') this.#askAgain();
    else this.#send(new OwnConnection(upstream, next.node, request.connectionKind), next.isAsking);
    return true;
  }

  /** Nobody tells who waits that the keys are another's, by another plan, or as plain servers came or went. */
  #hasMoved(node: Node): () => boolean {
    let { upstream } = this.#goal;
    let places = upstream.primaryPlaces();
    return () => {
      const { routing } = this.#session.home;
      if (routing === this.#routing && (upstream.checksSlots || upstream.primaryPlaces() === places))
        return false;
      const goal = this.#search();
      if (Buffer.isBuffer(goal)) return true;
      const others = this.#takersOf(goal);
      if (others.length === 0) return false;
      this.#routing = routing;
      ({ upstream } = goal);
      places = upstream.primaryPlaces();
      if (others.some(({ address }) => address === node.address)) return false;
      this.#goal = goal;
      return true;
    };
  }

  /** Where it may wait; none, while that is not known or they can't be asked. */
  #takersOf({ upstream, place }: Goal): readonly Node[] {
    const holder = upstream.holderOf(place);
    if (holder === undefined || (this.#request.isRead && upstream.checksSlots))
      return upstream.nodesThatLive();
    return holder.isUsable ? [holder] : [];
  }

  /** True: another node gets it, or the same one anew. */
  #unanswered({ connection }: OwnConnection, wasSent: boolean): boolean {
    const { isRead } = this.#request;
    const isMovable = isRead || this.#before.length === 0;
    if (this.#isLetGo) {
      this.#session.destroy();
      return true;
    }
    if (this.#isUnwanted) return false;
    if (!isMovable) return this.#fails(MAY_BE_LOST);
    if (wasSent) {
      // Of another one than these it is not known that it does nothing while it waits; what has begun to answer has done it.
      const isWaiting = timeLimitMs(this.#goal.message) !== undefined && !connection.isAnswering;
      if (!isRead && !isWaiting) return this.#fails(MAY_BE_DONE);
      this.#isLost ||= !isRead;
      this.#hasWaited();
    }
    if (!this.#mayGoOn()) return this.#endsOtherwise();
    this.#leave();
    this.#askAgain();
    return true;
  }

  #fails(why: Buffer): true {
    handOn(this.#request.sink!, this.#request, why);
    return true;
  }

  #askAgain(): void {
    this.#goal.upstream.noteRetry();
    this.#openLater();
  }

  /** From now on what is left of its time counts. It is tried anew for as long as any command. */
  #hasWaited(): void {
    const request = this.#request;
    const now = performance.now();
    this.#until ??= this.#sentAt + (timeLimitMs(this.#goal.message) ?? Infinity);
    if (now < this.#sentAt + WAITED_MS) {
      // One that is lost again and again has only been tried.
      request.startedAt += Math.trunc(now - this.#sentAt);
    } else {
      request.startedAt = Math.trunc(now);
      request.hops = 0;
    }
  }

  #openLater(): void {
    const again = (): void => {
      // What nobody has taken goes where it was to, as any command; what is asked anew, where it would go by now.
      const goal = this.#until === undefined ? this.#goal : this.#search();
      if (Buffer.isBuffer(goal)) return this.#giveUp(goal);
      if (goal !== this.#goal) this.#routing = this.#session.home.routing;
      this.#goal = goal;
      this.open();
    };
    this.#goal.upstream.ownConnections.inAMoment(this.#request, again, this.#lastTry);
  }

  get #isUnwanted(): boolean {
    return this.#session.isEnding || this.#session.isGone;
  }

  get #lastTry(): number {
    const { settings } = this.#goal.upstream;
    return Math.min(this.#request.startedAt + settings.failoverWaitMs, this.#until ?? Infinity);
  }

  #mayGoOn(): boolean {
    return performance.now() <= this.#lastTry;
  }

  /** Not with what was said last, nor with nothing at all: true, if so. */
  #endsOtherwise(): boolean {
    if (!this.#isLost && !this.#isOver) return false;
    this.#leave();
    this.#giveUp(REPLIES.upstreamFailure);
    return true;
  }

  get #isOver(): boolean {
    return this.#until !== undefined && performance.now() >= this.#until;
  }

  #giveUp(why: Buffer): void {
    const nothing = (this.#request.connectionKind & RESP3) === 0 ? NOTHING.resp2 : NOTHING.resp3;
    const reply = this.#isOver ? nothing : this.#isLost ? MAY_BE_DONE : why;
    handOn(this.#request.sink!, this.#request, reply);
  }

  #leave(isDone = false): void {
    const own = this.#own;
    if (own === undefined) return;
    this.#own = undefined;
    if (isDone) own.release();
    else own.close();
  }
}
