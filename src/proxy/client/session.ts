/**
 * One client and what it asks of Redis: what every kind of command needs, whatever it does with the replies.
 *
 * Tight: nearly every command passes `send`, `newRequest` and `mirror` (`npm run bench -- proxy`).
 */
import type { Socket } from 'node:net';

import { isOfMessages, type Command } from '../../redis/command-table.ts';
import { ClientStream } from './client-stream.ts';
import { LateReplies, later } from './late-replies.ts';
import { LocalState } from './local-state.ts';
import { isCopied, sendCopy } from './mirroring.ts';
import type { Mode } from './mode.ts';
import { BULKY, READONLY } from '../topology/handshake.ts';
import { leaveAfterReply, type OwnConnection } from '../upstream/own-connection.ts';
import { PlacesOfMessages } from './places-of-messages.ts';
import { REPLIES } from '../wire/encode.ts';
import { countUndone } from '../wire/outcomes.ts';
import { handOn, inFrontOf } from '../wire/reply-sink.ts';
import { takeRequest, type Request } from '../wire/request.ts';
import type { Destination, MirrorDestination, Routing } from './routing.ts';
import { MASTER } from '../topology/shard.ts';
import { clock } from '../wire/turn.ts';
import type { Upstream } from '../upstream/upstream.ts';

/** What a session needs to know of where it was accepted; the routing may be another one from one command to the next. */
export interface SessionHome {
  readonly routing: Routing;
  /** All that were accepted there and have not ended. */
  readonly sessions: Iterable<Session>;
  ended(session: Session): void;
}

export abstract class Session extends ClientStream {
  readonly home: SessionHome;
  readonly local: LocalState;
  /** null: none, as nearly always. */
  mode: Mode | null = null;
  /** How late a fault makes the reply to the command at hand. */
  protected lateBy = 0;
  #messages: PlacesOfMessages | null = null;
  /** Since when the command at hand has waited to be begun; 0: it has not. */
  waitedSince = 0;

  constructor(socket: Socket, home: SessionHome, id: number) {
    super(socket);
    this.home = home;
    this.local = new LocalState(id, socket, home.routing.listener.clientAuth);
  }

  abstract readonly isSubscribed: boolean;

  abstract leaveTransaction(): void;

  /** From the next command on, its home has another routing. */
  abstract rerouted(): void;

  /** Queued and counted; its place and its bytes are the caller's business. */
  newRequest(command: Command): Request {
    const request = this.expect();
    const sink = this.lateBy > 0 ? new LateReplies(this, this.lateBy) : this;
    // Nearly always what it was: a store of an object costs more than a look.
    if (request.sink !== sink) request.sink = sink;
    this.#fill(request, command);
    return request;
  }

  /** For what Redis answers with more than one reply: not the first of them is late, but `ask`, and what its client asks next. */
  askLate({ label }: Command, ask: () => void): void {
    const { lateBy } = this;
    this.lateBy = 0;
    if (lateBy === 0) return ask();
    const free = this.hold(REPLIES.upstreamFailure);
    later(this, lateBy, () => {
      if (this.isClosed || this.isEnding) return countUndone(label, this);
      free();
      ask();
    });
  }

  /** With this session's terms, but not queued. */
  newPart(command: Command): Request {
    const request = takeRequest();
    this.#fill(request, command);
    return request;
  }

  #fill(request: Request, command: Command): void {
    const { terms } = this.home.routing;
    if (request.terms !== terms) request.terms = terms;
    request.label = command.label;
    request.connectionKind = this.connectionKind();
    request.startedAt = this.cameAt;
  }

  /** When the command at hand did. */
  get cameAt(): number {
    return this.waitedSince === 0 ? clock.now : this.waitedSince;
  }

  /** What begins only now has been waiting since then. */
  beginLate(since: number, begin: () => void): void {
    const before = this.waitedSince;
    this.waitedSince = since;
    begin();
    this.waitedSince = before;
  }

  connectionKind(): number {
    const { policy } = this.home.routing.terms;
    const kind = this.local.connectionKind | (policy === MASTER ? 0 : READONLY);
    return this.isBulky ? kind | BULKY : kind;
  }

  /** Sends on a connection of the client's own; the reply leaves in its turn. */
  inOrder(command: Command, own: OwnConnection, bytes: Uint8Array): void {
    own.send(this.newRequest(command), bytes);
    this.heed(own.connection);
  }

  /** The same for a request that is queued, and leaves the connection after the reply; `heard` gets it first, and may give another in its place. */
  inOrderAndLeave(
    request: Request,
    own: OwnConnection,
    bytes: Uint8Array,
    heard: (reply: Uint8Array, start: number) => Uint8Array | undefined,
  ): void {
    const sink = request.sink!;
    request.sink = inFrontOf(sink, (answered, reply, start, end) => {
      const instead = heard(reply, start);
      if (instead === undefined) handOn(sink, answered, reply, start, end);
      else handOn(sink, answered, instead);
    });
    // What follows goes over other connections, and must not overtake.
    leaveAfterReply(this, request, own, this.hold());
    own.send(request, bytes);
  }

  override get client(): string {
    return this.local.address;
  }

  /** `bytes[from, to)` is the command, `bytes[start, end)` the key that decides. */
  send(
    command: Command,
    destination: Destination,
    bytes: Buffer,
    from: number,
    to: number,
    start: number,
    end: number,
  ): void {
    const upstream = command.isRead ? destination.reads : destination.upstream;
    const request = this.newRequest(command);
    const { hashTags } = request.terms;
    request.place = upstream.placeOf(bytes, start, end, hashTags);
    const connection = upstream.send(request, bytes, from, to);
    if (connection !== null && connection.isCongested) this.heed(connection);
    if (destination.mirrors === null) return;
    this.mirror(destination.mirrors, command, bytes, from, to, start, end);
  }

  /** `bytes[from, to)` is the command, `bytes[start, end)` the key that decides. */
  mirror(
    mirrors: readonly MirrorDestination[],
    command: Command,
    bytes: Uint8Array,
    from: number,
    to: number,
    start: number,
    end: number,
  ): void {
    const { hashTags } = this.home.routing.terms;
    for (const mirror of mirrors) {
      if (!isCopied(command, mirror)) continue;
      const { upstream } = mirror;
      this.copy(upstream, upstream.placeOf(bytes, start, end, hashTags), command, bytes, from, to);
    }
  }

  /** To a mirror, where `place` is there; whether it gets one has been drawn. */
  copy(
    upstream: Upstream,
    place: number,
    command: Command,
    bytes: Uint8Array,
    from: number,
    to: number,
    terms = this.home.routing.terms,
  ): void {
    const request = this.newPart(command);
    request.terms = terms;
    request.place = place;
    sendCopy(upstream.nodeFor(request), request, bytes, from, to);
  }

  /** It would come by another node than the client's last message, which that one may not have passed on yet. */
  mayOvertake(upstream: Upstream, command: Command): boolean {
    return !this.replies.isEmpty && isOfMessages(command) && this.#messages?.isLeaving(upstream) === true;
  }

  /** Any, where it is all the same. */
  placeWithoutKey(upstream: Upstream, command: Command): number {
    if (!isOfMessages(command)) return upstream.anyPlace();
    this.#messages ??= new PlacesOfMessages();
    return this.#messages.at(upstream);
  }
}
