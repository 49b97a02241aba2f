/**
 * Commands that may wait (BLPOP, XREAD BLOCK, WAIT): on a connection of the client's own, so that nobody waits with it.
 * As in Redis, the client's next commands are looked at only when it has its reply.
 */
import type { Command } from '../../redis/command-table.ts';
import { type RequestFrame, wordAt } from '../../redis/request-frame.ts';
import { toAllPrimaries } from './all-primaries.ts';
import { copyOnceAnswered } from './blocking-copies.ts';
import { REPLIES, encodeCommand } from '../wire/encode.ts';
import { MergedReply, least } from '../wire/merged-reply.ts';
import { locate } from '../client/locate.ts';
import type { Node } from '../topology/node.ts';
import { giveOwnBytes } from '../wire/own-bytes.ts';
import { OwnConnection, openOwn, whyNotOpened } from '../upstream/own-connection.ts';
import { ASKING, readRefusal, type Refusal } from '../upstream/refusal.ts';
import { handOn, inFrontOf } from '../wire/reply-sink.ts';
import type { Request } from '../wire/request.ts';
import type { Session } from '../client/session.ts';
import type { Upstream } from '../upstream/upstream.ts';
import { whereNext } from '../upstream/where-next.ts';

const PING = encodeCommand('PING');
const MINUS = 0x2d;

/** What is refused later than that was waiting: now it is looked for anew who takes it. */
const WAITED_MS = 1_000;

/** False: it does not wait, and is a command like any other. */
export function mayWait(bytes: Buffer, frame: RequestFrame, command: Command): boolean {
  if (command.name !== 'xread' && command.name !== 'xreadgroup') return true;
  const word = wordAt(bytes, frame);
  for (let index = 1; index < frame.count; index++) {
    const text = word(index).toUpperCase();
    if (text === 'BLOCK') return true;
    if (text === 'STREAMS') return false;
    // Names, which may be anything.
    if (text === 'GROUP') index += 2;
  }
  return false;
}

export function sendBlocking(session: Session, bytes: Buffer, frame: RequestFrame, command: Command): void {
  if (command.name === 'wait' || command.name === 'waitaof') return sendWait(session, bytes, frame, command);
  const location = locate(session.home.routing, bytes, frame, command, command.isRead);
  if (location.kind === 'refused') return session.answer(command, location.reply);
  const upstream = location.kind === 'keyed' ? location.upstream : session.home.routing.catchAll?.upstream;
  if (upstream === undefined) return session.answer(command, REPLIES.noUpstreamHost);
  const message =
    location.kind === 'keyed'
      ? location.bytes.subarray(location.from, location.to)
      : bytes.subarray(frame.start, frame.at);
  // The buffer is used again before it is sent.
  const kept = Buffer.from(message);
  const request = session.newRequest(command);
  request.place = location.kind === 'keyed' ? location.place : upstream.anyPlace();
  if (location.kind === 'keyed') copyOnceAnswered(session, request, command, location);
  new Waiting(session, upstream, request, [kept], session.hold()).open();
}

/** For what this client has written so far, wherever that was: every primary is asked, the least counts. */
function sendWait(session: Session, bytes: Buffer, frame: RequestFrame, command: Command): void {
  toAllPrimaries(session, bytes, frame, command, ({ upstream, places }, kept, again) => {
    const message = Buffer.from(kept.subarray(again.start, again.at));
    const merged = new MergedReply(session.newRequest(command), { merge: least }, places.length);
    const free = session.hold();
    let missing = places.length;
    const answered = (): void => {
      missing -= 1;
      if (missing === 0) free();
    };
    for (const [index, place] of places.entries()) {
      const part = session.newPart(command);
      part.sink = merged.sinkFor(index);
      part.place = place;
      // Redis waits for what was written before the connection's last command: on a new one that is nothing.
      new Waiting(session, upstream, part, [PING, message], answered).open();
    }
  });
}

/** One command that waits. Where it is refused unexecuted it is sent again, and waits its whole time anew. */
class Waiting {
  readonly #session: Session;
  readonly #upstream: Upstream;
  readonly #request: Request;
  /** The last is it. */
  readonly #commands: readonly Buffer[];
  #own: OwnConnection | undefined;
  #sentAt = 0;

  constructor(
    session: Session,
    upstream: Upstream,
    request: Request,
    commands: readonly Buffer[],
    answered: () => void,
  ) {
    this.#session = session;
    this.#upstream = upstream;
    this.#request = request;
    this.#commands = commands;
    const sink = request.sink!;
    request.sink = inFrontOf(sink, (which, reply, start, end) => {
      handOn(sink, which, reply, start, end);
      this.#leave(reply[start] !== MINUS);
      answered();
    });
  }

  open(): void {
    const bytes = this.#commands.at(-1)!;
    giveOwnBytes(this.#request, bytes, 0, bytes.length);
    openOwn(this.#upstream, this.#request, (own) => {
      // Nor for somebody who may have gone.
      if (own !== undefined && !this.#session.isEnding && !this.#session.isGone) return this.#send(own);
      own?.close();
      this.#answer(whyNotOpened(this.#upstream, this.#request.place));
    });
  }

  #send(own: OwnConnection, isAsking = false): void {
    this.#own = own;
    this.#sentAt = performance.now();
    own.mayBlock = true;
    own.leavesNothing = true;
    own.isMisplaced = this.#hasMoved(own.node);
    own.onError = (_, text) => this.#refused(own.node, readRefusal(text));
    const before = this.#commands.slice(0, -1);
    own.onUnanswered = ({ isRead }, wasSent) => {
      // What stands before it is about what was written to that node.
      const mayGoElsewhere = isRead || (!wasSent && before.length === 0);
      return mayGoElsewhere && this.#unanswered();
    };
    this.#session.own(own);
    for (const command of isAsking ? [...before, ASKING] : before) own.send(null, command);
    own.send(this.#request, this.#commands.at(-1)!);
  }

  /** True: somebody else gets it, or the same node later. */
  #refused(node: Node, refusal: Refusal | undefined): boolean {
    if (refusal === undefined || !this.#hasTime()) return false;
    const request = this.#request;
    const next = whereNext(request, refusal, this.#upstream, node);
    if (next === undefined) return false;
    this.#leave();
    if (next === 'nowhere') this.#answer(REPLIES.tooManyRedirections);
    else if (next === 'later') this.#upstream.ownConnections.inAMoment(request, () => this.open());
    else this.#send(new OwnConnection(this.#upstream, next.node, request.connectionKind), next.isAsking);
    return true;
  }

  /** Plain servers do not tell who waits that the keys are another's, since servers came or went. */
  #hasMoved(node: Node): () => boolean {
    const upstream = this.#upstream;
    if (upstream.checksSlots) return () => false;
    const servers = (): string => upstream.primaryPlaces().join(' ');
    const before = servers();
    return () => servers() !== before && (upstream.nodeFor(this.#request) ?? node) !== node;
  }

  /** Certainly not carried out, or a read: another node may answer it. */
  #unanswered(): boolean {
    if (this.#session.isEnding || this.#session.isGone || !this.#hasTime()) return false;
    this.#leave();
    this.#upstream.ownConnections.inAMoment(this.#request, () => this.open());
    return true;
  }

  /** For another try. */
  #hasTime(): boolean {
    const request = this.#request;
    const now = performance.now();
    if (now - this.#sentAt > WAITED_MS) {
      request.startedAt = Math.trunc(now);
      request.hops = 0;
    }
    return now <= request.startedAt + this.#upstream.settings.failoverWaitMs;
  }

  #leave(isDone = false): void {
    const own = this.#own;
    if (own === undefined) return;
    this.#own = undefined;
    this.#session.disown(own);
    if (isDone) own.release();
    else own.close();
  }

  #answer(reply: Buffer): void {
    handOn(this.#request.sink!, this.#request, reply);
  }
}
