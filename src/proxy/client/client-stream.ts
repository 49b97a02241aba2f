/**
 * The two directions of one client's connection: takes no more in than can be worked off, and writes once per turn what
 * is ready.
 */
import type { Socket } from 'node:net';

import type { Command } from '../../redis/command-table.ts';
import { readOn } from '../wire/accept.ts';
import type { Connection } from '../wire/connection.ts';
import { holdBack, type HeldBack } from './held-back.ts';
import { Leaving, type Owned } from './leaving.ts';
import {
  FIRST_PENDING,
  HELD_BACK_BYTES,
  LONG_REPLY_BYTES,
  MAX_ANSWERED,
  MAX_KEPT_BYTES,
  MAX_PENDING,
  MAX_PUSHED_BYTES,
  MAX_UNREAD_BYTES,
  MAX_UNWORKED_BYTES,
  MUCH_BYTES,
} from './limits.ts';
import { Output } from './output.ts';
import { ReplyQueue } from './reply-queue.ts';
import { giveRequest, type ReplySink, type Request } from '../wire/request.ts';
import { askers, countAbandoned, countError, countFailed } from '../wire/outcomes.ts';
import { SocketWriter } from '../wire/socket-writer.ts';
import { beginRead, beginTurn, flushClient, type Flushable } from '../wire/turn.ts';

const MINUS = 0x2d;

/** The client is gone; 'close' follows. */
const ignored = (): void => {};

export abstract class ClientStream implements Flushable, HeldBack, ReplySink {
  isClosed = false;
  readonly #socket: Socket;
  readonly #writer: SocketWriter;
  readonly #output = new Output();
  readonly replies = new ReplyQueue(this.#output);
  #isDirty = false;
  /** Replies wait for those of commands that came with theirs. */
  #isHeldBack = false;
  #maxPending = FIRST_PENDING;
  /** Its replies are long: the connections to Redis that it shares are those of clients alike. */
  isBulky = false;
  /** Nothing more is taken from it; it is closed when all is answered. */
  isEnding = false;
  readonly #leaving: Leaving;
  #isDraining = false;
  #isPaused = false;
  /** What is kept of its commands, late replies and messages, at most. */
  #keptBytes = 0;
  /** Nothing more is asked for it, as it has not taken its replies. */
  #isUnread = false;
  #isHeld = false;
  /** Of the command that it is held for, which has not begun; null: it has, or it is not held. */
  #heldReply: Buffer | null = null;
  /** Once it is no longer held. */
  #mustAwait = false;
  #afterAnswers: (() => void) | null = null;
  #congested: Connection | null = null;
  /** Since somebody last set it to false. */
  hasAsked = false;
  /** By itself, since it last let others have their turn. */
  #answered = 0;
  #isResting = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#writer = new SocketWriter(socket, () => this.#drained());
    socket.on('error', ignored);
    this.#leaving = new Leaving(this, socket, this.#writer);
    socket.on('close', () => this.#close());
    askers.add(this);
  }

  abstract readonly client: string;
  protected abstract take(bytes: Buffer, length: number): void;
  /** Goes on with what had come before it stopped. */
  protected abstract proceed(): void;
  protected abstract dropInput(): void;
  /** How many bytes have come that were not worked off. */
  protected abstract unworked(): number;
  /** Those have waited for no lack of ours: they count from now on. */
  abstract countAnew(): void;
  protected abstract closed(): void;

  get isGone(): boolean {
    return this.isClosed || this.#leaving.hasHungUp;
  }

  get isStopped(): boolean {
    return this.#isPaused || this.isEnding || this.isClosed;
  }

  /** What came from the socket; the buffer is used again after it. False: no more, until it is asked for. */
  read(bytes: Buffer, length: number): boolean {
    if (this.isEnding || this.isClosed) return true;
    beginRead();
    this.take(bytes, length);
    this.replies.endBatch();
    // A client that waits is read from nevertheless: how else would we know that it has gone?
    // One that is ending is, too.
    const isWaiting = this.#isHeld || this.#keptBytes > 0;
    return this.isEnding || !this.#isPaused || (isWaiting && this.unworked() < MAX_UNWORKED_BYTES);
  }

  kept(bytes: number): void {
    this.#keptBytes += bytes;
    if (this.#keptBytes > MAX_KEPT_BYTES) this.#isPaused = true;
  }

  /** Nothing more is taken in; what was asked is answered, then the connection ends. */
  end(): void {
    if (this.isEnding) return;
    this.isEnding = true;
    if (this.#heldReply !== null) this.replies.add(this.#heldReply);
    if (this.#afterAnswers !== null) {
      // What waits for its turn is not begun any more.
      this.#afterAnswers = null;
      this.#isHeld = false;
    }
    this.dropInput();
    readOn(this.#socket);
    if (this.replies.isEmpty) this.#flushAndEnd();
  }

  /** Nothing more is read; it is ended once what has come is looked at, or some of it had to wait, which is not begun. */
  drain(): void {
    this.#isDraining = true;
    if (this.#isHeld) this.end();
    else this.#leaving.finish();
  }

  /**
   * The time is up: what is not answered by now gets `reply`; what may wait for ever by its nature none. Resolves when the
   * client has taken it and let go, or has been put out.
   */
  async giveUp(reply: Buffer): Promise<void> {
    if (this.#leaving.mayBlock) await this.#leaving.letGo();
    if (this.isClosed) return;
    this.replies.awaited(({ label }) => countFailed(label));
    this.replies.answerRest(reply);
    this.#output.flush(this.#writer);
    this.#close();
    await this.#leaving.endSocketSoon();
  }

  /** Not done with what it has sent. Under TLS its end may come with what there was no room for. */
  get isUnfinished(): boolean {
    return this.#isHeld || (this.#isPaused && this.unworked() > 0);
  }

  destroy(): void {
    this.#socket.destroy();
    this.#close();
  }

  deliver(request: Request, bytes: Uint8Array, start: number, end: number): void {
    if (this.isClosed) return giveRequest(request);
    if (!this.replies.take(request, bytes, start, end)) return;
    this.#flushLater();
    if (this.isEnding && this.replies.isEmpty) this.#flushAndEnd();
  }

  /** A request whose reply leaves after those that are expected already. */
  protected expect(): Request {
    const request = this.replies.next();
    this.hasAsked = true;
    if (this.replies.length >= this.#maxPending) this.#isPaused = true;
    return request;
  }

  /** Of a reply that is delivered next. */
  erred({ label }: Request, bytes: Uint8Array, start: number, end: number): void {
    if (!this.isClosed) countError(label, bytes, start, end);
  }

  awaited(tell: (request: Request) => void): void {
    this.replies.awaited(tell);
  }

  /** A reply made here, behind the replies that are still awaited. */
  answer({ label }: Command, reply: Uint8Array): void {
    if (reply[0] === MINUS) countError(label, reply, 0, reply.length);
    this.say(reply);
  }

  /** The same to what is no command, or is counted. */
  say(reply: Uint8Array): void {
    if (this.replies.add(reply)) {
      this.#flushLater();
      this.#answered += 1;
      if (this.#answered >= MAX_ANSWERED || this.#output.length > MAX_UNREAD_BYTES) this.#rest();
    } else if (this.replies.length >= this.#maxPending || reply.length > LONG_REPLY_BYTES) {
      this.#isPaused = true;
    }
  }

  /** What came is gone on with in the next turn of the event loop. */
  #rest(): void {
    this.#answered = 0;
    this.#isPaused = true;
    if (this.#isResting) return;
    this.#isResting = true;
    setImmediate(() => {
      beginTurn();
      this.#isResting = false;
      this.#resume();
    });
  }

  /** A message that nobody asked for. `isAhead`: replies that are still awaited may come later. */
  push(message: Uint8Array, isAhead: boolean, mostUnread = MAX_PUSHED_BYTES): void {
    if (this.isEnding) return;
    if (this.replies.addMessage(message, isAhead)) this.#flushLater();
    else this.kept(message.length);
    if (this.replies.queuedMessageBytes + this.#unreadBytes > mostUnread) this.destroy();
  }

  /** Behind all replies that are awaited, as something of them may have come; of what waits by its nature nothing has: false. */
  pushBehind(message: Uint8Array): boolean {
    const { isWaiting } = this.#leaving;
    // Long replies are unread, not messages: whoever calls it lets few of those wait.
    this.push(message, isWaiting, Infinity);
    return !isWaiting;
  }

  flush(): void {
    this.#isDirty = false;
    if (this.isClosed) return;
    if (this.#mayGrow()) {
      if (this.#isHeldBack) return;
      this.#isHeldBack = true;
      return holdBack(this);
    }
    this.#write();
  }

  /** What is ready is part of what was asked at once, and the rest is under way. */
  #mayGrow(): boolean {
    const { replies } = this;
    if (replies.hasWhole || replies.isEmpty || this.#isPaused) return false;
    return !this.#output.isEmpty && this.#output.length < HELD_BACK_BYTES;
  }

  letGo(): void {
    this.#isHeldBack = false;
    if (!this.isClosed && !this.#output.isEmpty) this.#write();
  }

  #write(): void {
    this.replies.hasWhole = false;
    if (this.replies.isEmpty) this.#keptBytes = 0;
    const isMuch = !this.#writer.isBehind && this.#output.length > MUCH_BYTES;
    const isLong = isMuch && this.#output.hasLong;
    if (!this.#writer.isBehind) this.#output.flush(this.#writer);
    if (this.#afterAnswers !== null && this.replies.isEmpty) {
      const then = this.#afterAnswers;
      this.#afterAnswers = null;
      this.#isHeld = false;
      then();
    }
    if (isLong) this.#setBulky(true);
    if (isMuch) this.#maxPending = Math.max(FIRST_PENDING, this.#maxPending / 4);
    if (this.#unreadBytes > MAX_UNREAD_BYTES) {
      this.#isPaused = true;
      this.#isUnread = true;
      this.#maxPending = FIRST_PENDING;
      return;
    }
    // How much comes in a turn is not seen while it is kept for who does not take it.
    const mayGrow = this.#maxPending < MAX_PENDING || this.isBulky;
    if (!isMuch && mayGrow && !this.#writer.isBehind) this.#grow();
    if (this.#isPaused && this.replies.length < this.#maxPending / 2) this.#resume();
  }

  #grow(): void {
    if (this.#maxPending < MAX_PENDING) this.#maxPending *= 2;
    // Not while it is held; then at one of the next turns.
    if (this.#maxPending >= MAX_PENDING) this.#setBulky(false);
  }

  /** What it asks from now on must not overtake what went over the other connection. */
  #setBulky(isBulky: boolean): void {
    if (this.isBulky === isBulky || this.#isHeld || this.isEnding) return;
    this.isBulky = isBulky;
    this.awaitAnswers();
  }

  /** No command is looked at until what is returned is called. `ifEnded`: what the command gets if the client is ended before. */
  hold(ifEnded: Buffer | null = null): () => void {
    this.#isHeld = true;
    this.#isPaused = true;
    this.#heldReply = ifEnded;
    return () => {
      this.#isHeld = false;
      this.#heldReply = null;
      if (this.#mustAwait) this.awaitAnswers();
      this.#flushLater();
    };
  }

  /**
   * Calls `then` once everything asked so far is answered, and looks at no further command until then: what follows goes
   * over another connection to Redis, and must not overtake.
   */
  afterAnswers(then: () => void): void {
    if (this.replies.isEmpty) return then();
    this.#isHeld = true;
    this.#isPaused = true;
    this.#afterAnswers = then;
  }

  /** What goes over other connections from now on must not overtake what went over the former. */
  awaitAnswers(): void {
    this.#mustAwait = this.#isHeld;
    if (!this.#isHeld) this.afterAnswers(() => {});
  }

  /** After sending: a connection that can't keep up holds up who feeds it. */
  heed(connection: Connection | null): void {
    if (connection === null || !connection.isCongested || connection.isClosed) return;
    this.#congested = connection;
    connection.paused.add(this);
    this.#isPaused = true;
  }

  resumeAfter(connection: Connection): void {
    if (this.#congested !== connection) return;
    this.#congested = null;
    this.#resume();
  }

  own(connection: Owned): void {
    if (this.isClosed) connection.close();
    else this.#leaving.own(connection);
  }

  disown(connection: Owned): void {
    this.#leaving.disown(connection);
  }

  #flushLater(): void {
    if (this.#isDirty) return;
    this.#isDirty = true;
    flushClient(this);
  }

  get #unreadBytes(): number {
    return this.#output.length + this.#writer.waiting;
  }

  /** What has come together meanwhile is written at once. */
  #drained(): void {
    if (this.isClosed) return;
    beginTurn();
    if (!this.#isDirty) this.#write();
    this.#resume();
  }

  /** Goes on with what had come already, then with the socket. */
  #resume(): void {
    if (!this.#isPaused || this.#isHeld || this.#isResting || this.isClosed) return;
    if (this.#congested !== null) return;
    if (this.replies.length >= this.#maxPending || this.#unreadBytes > MAX_UNREAD_BYTES) return;
    if (this.#keptBytes > MAX_KEPT_BYTES) return;
    this.#isPaused = false;
    if (this.#isUnread) this.countAnew();
    this.#isUnread = false;
    this.proceed();
    this.replies.endBatch();
    if (this.#isDraining) this.drain();
    else if (this.#leaving.hasHungUp) this.#leaving.finish();
    // Paused again by what had come.
    else if (!this.isStopped) readOn(this.#socket);
  }

  #flushAndEnd(): void {
    if (this.isClosed) return;
    this.#output.flush(this.#writer);
    this.#leaving.endSocket();
  }

  #close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#congested?.paused.delete(this);
    this.#output.drop();
    askers.delete(this);
    this.replies.awaited(({ label }) => countAbandoned(label));
    this.replies.drop();
    this.dropInput();
    this.#leaving.closeOwned();
    this.closed();
  }
}
