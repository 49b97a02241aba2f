/**
 * One connection to a Redis node, shared by all clients of a kind: commands go in as bytes, replies come back in order.
 *
 * The bytes of a command stay in its block until its reply is there, so that it can be sent elsewhere when the node
 * redirects or dies. Tight: a command costs one copy, one place in the ring, and its share of one write and one read per
 * turn of the event loop (`npm run bench -- proxy`).
 */
import type { Socket } from 'node:net';

import { BROKEN, ReplyScanner } from '../../redis/reply-scanner.ts';
import { turnedAway } from '../../sources/observations/connection-problem.ts';
import { copyBytes, giveBlock, takeBlock, wasWritten, type Block } from './block.ts';
import type { ConnectionOptions, ConnectionOwner, PushHearer, ReplyWatch } from './connection-owner.ts';
import { isCutOff } from './cut-off.ts';
import { grown } from './grown-ring.ts';
import { handshakeRefused } from './handshake-refused.ts';
import { hearLastWords } from './last-words.ts';
import { noteReply } from './latency.ts';
import { offer } from './offered.ts';
import { Partial } from './partial.ts';
import { TOO_LONG, completeReply } from './partial-reply.ts';
import { takeApart } from './pushes-inside.ts';
import { REPLIES } from './encode.ts';
import { handOn } from './reply-sink.ts';
import type { Request } from './request.ts';
import { runsScript } from './script-words.ts';
import { SocketWriter } from './socket-writer.ts';
import { followSocket, openSocket } from './socket.ts';
import { beginRead, clock, flushUpstream, type Flushable } from './turn.ts';

const READ_BYTES = 65_536;
/** One for all: a read is worked off before the next one is made. */
const readBuffer = Buffer.allocUnsafeSlow(READ_BYTES);

/** Behind as much as that nothing more is taken in. */
const CONGESTED_BYTES = 1_048_576;
const CONGESTED_REQUESTS = 65_536;

const MINUS = 0x2d;
const PUSH = 0x3e;

export class Connection implements Flushable {
  isOpen = false;
  isClosed = false;
  /** The node has refused its login, and refuses what is asked over it. */
  isLockedOut = false;
  /** More is waiting to be written, or to be answered, than is good. */
  isCongested = false;
  /** Who reads no more until it is not. */
  readonly paused = new Set<{ resumeAfter(connection: Connection): void }>();
  /** Sees everything that comes behind the handshake, before it is taken for a reply; false: it is none. */
  intercept: ((bytes: Uint8Array, start: number, end: number) => boolean) | null = null;
  /** null: nobody, as nearly always. */
  watch: ReplyWatch | null = null;
  /** Something may have been read over it of which the node tells that it has changed, if it was asked for that. */
  isRemembered = false;
  /** The node is told that nothing more comes, and has not said its last. */
  isHangingUp = false;

  readonly #socket: Socket;
  readonly #writer: SocketWriter;
  #owner: ConnectionOwner;
  readonly #latency: Float64Array;
  readonly #pushes: PushHearer | null;
  readonly #scanner = new ReplyScanner();
  #partial: Partial | null = null;
  #isDirty = false;
  #readAt = clock.now;
  /** What nobody waits for was refused, or nothing more is taken. */
  #isSpoilt = false;
  /** What was sent from there on the node has not looked at; NaN: nothing. */
  #cutOffAt = NaN;
  /** Commands of the handshake that are not answered. */
  #greetings: number;

  /** Who waits for the replies, in order; null: a reply that nobody needs. */
  #ring: (Request | null)[] = Array.from({ length: 256 }, () => null);
  #generations = new Uint32Array(256);
  #sentAt = new Float64Array(256);
  #head = 0;
  #tail = 0;

  /** The oldest first; commands are appended to the last. */
  readonly #blocks: Block[] = [];
  #current: Block;
  /** What has been given to the socket: the blocks before this one, and of this one so much. */
  #writing = 0;
  #writtenTo = 0;

  constructor(options: ConnectionOptions, owner: ConnectionOwner) {
    this.#owner = owner;
    this.#latency = options.latency;
    this.#pushes = options.pushes;
    this.#current = takeBlock(0);
    this.#blocks.push(this.#current);
    const { handshake } = options;
    this.#greetings = handshake.length;
    for (const command of handshake) this.append(null, command, 0, command.length);
    this.#socket = openSocket(options, readBuffer, (length) => this.#read(readBuffer, length));
    this.#writer = new SocketWriter(this.#socket, () => this.#relieve());
    followSocket(this.#socket, options, {
      opened: () => {
        if (this.isClosed) return;
        this.isOpen = true;
        this.#owner.opened();
        this.flush();
      },
      closed: (problem) => this.destroy(problem),
    });
  }

  /** From now on somebody else is told. */
  handOver(owner: ConnectionOwner): void {
    this.#owner = owner;
  }

  /** Nothing is under way, nobody is held up, and it is as its handshake asked. */
  get isAtRest(): boolean {
    return this.isOpen && this.#head === this.#tail && this.paused.size === 0 && !this.#isSpoilt;
  }

  /** Of a reply the begin has come, and not the end. */
  get isAnswering(): boolean {
    return this.#partial !== null;
  }

  get pending(): number {
    return (this.#tail - this.#head) | 0;
  }

  /** How many commands have been answered, or lost, so far; only differences count. */
  get answered(): number {
    return this.#head;
  }

  /** Sends `bytes[start, end)` at the end of this turn; `request` gets the reply. */
  append(request: Request | null, bytes: Uint8Array, start: number, end: number): void {
    const size = end - start;
    const block = this.#blockFor(size);
    copyBytes(bytes, start, end, block.bytes, block.end);
    this.#note(request, block, size);
  }

  /** The same for a command in two pieces. */
  appendBehind(head: Uint8Array, request: Request, bytes: Uint8Array, start: number, end: number): void {
    const length = head.length;
    const size = length + end - start;
    const block = this.#blockFor(size);
    copyBytes(head, 0, length, block.bytes, block.end);
    copyBytes(bytes, start, end, block.bytes, block.end + length);
    this.#note(request, block, size);
  }

  #blockFor(size: number): Block {
    const block = this.#current;
    return block.end + size > block.bytes.length ? this.#nextBlock(size) : block;
  }

  #note(request: Request | null, block: Block, size: number): void {
    const tail = this.#tail;
    if (((tail - this.#head) | 0) === this.#ring.length)
      [this.#ring, this.#generations, this.#sentAt] = grown(
        this.#head,
        this.#ring,
        this.#generations,
        this.#sentAt,
      );
    const place = tail & (this.#ring.length - 1);
    this.#ring[place] = request;
    this.#sentAt[place] = clock.now;
    this.#tail = (tail + 1) | 0;
    if (request !== null) {
      this.#generations[place] = request.generation;
      request.block = block;
      request.start = block.end;
      request.end = block.end + size;
      request.sent += 1;
    }
    block.end += size;
    block.users += 1;
    if (!this.#isDirty) {
      this.#isDirty = true;
      flushUpstream(this);
    }
  }

  flush(): void {
    this.#isDirty = false;
    const blocks = this.#blocks;
    if (!this.isOpen) {
      const bytes = blocks.reduce((sum, { end }) => sum + end, 0);
      this.isCongested ||= bytes > CONGESTED_BYTES;
      return;
    }
    for (;;) {
      const block = blocks[this.#writing]!;
      if (block.end > this.#writtenTo) {
        this.#writer.write(block.bytes.subarray(this.#writtenTo, block.end));
        this.#writtenTo = block.end;
      }
      if (this.#writing === blocks.length - 1) break;
      this.#writing += 1;
      this.#writtenTo = 0;
    }
    this.isCongested ||= this.#writer.waiting > CONGESTED_BYTES || this.pending > CONGESTED_REQUESTS;
  }

  /** How long the oldest command has been waiting. */
  waitingMs(now: number): number {
    return this.#head === this.#tail ? 0 : now - this.#sentAt[this.#head & (this.#ring.length - 1)]!;
  }

  /** How long nothing has come from the node: who waits behind long replies does not wait for a silent one. */
  silentMs(now: number): number {
    return now - this.#readAt;
  }

  /** Every request that has waited since before `since`, the oldest first. */
  overdue(since: number, tell: (request: Request, sentAt: number) => void): void {
    for (let index = this.#head; index !== this.#tail; index = (index + 1) | 0) {
      const place = index & (this.#ring.length - 1);
      const sentAt = this.#sentAt[place]!;
      if (sentAt > since) return;
      const request = this.#ring[place]!;
      if (request !== null && request.generation === this.#generations[place]) tell(request, sentAt);
    }
  }

  /** What it has said before it has heard that nobody waits any more counts, where that may be what nobody else can have. */
  giveUp(problem: string): void {
    if (this.isHangingUp) return;
    const isAwaited = this.isOpen && this.pending > 0 && this.#owner.mayBlock === true;
    if (!isAwaited) return this.destroy(problem);
    this.isHangingUp = this.#isSpoilt = true;
    this.flush();
    hearLastWords(this.#socket, () => this.destroy(problem));
  }

  destroy(problem: string): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.isOpen = false;
    this.#socket.destroy();
    const isUnseen = this.#cutOffAt === this.#head;
    const unsentFrom = this.#blocks.slice(this.#writing);
    while (this.#head !== this.#tail) {
      const place = this.#head & (this.#ring.length - 1);
      this.#head = (this.#head + 1) | 0;
      const request = this.#ring[place]!;
      if (request === null || request.generation !== this.#generations[place]) continue;
      request.sent -= 1;
      this.#owner.lost(request, !isUnseen && wasWritten(request, unsentFrom, this.#writtenTo));
    }
    // Not given back to the pool: the socket may still be writing from them.
    this.#blocks.length = 0;
    this.#owner.closed(this, problem);
    if (this.isRemembered) this.#pushes?.lost();
    // Only now: who goes on must not find it.
    this.#relieve();
  }

  #relieve(): void {
    this.isCongested = false;
    if (this.paused.size === 0) return;
    const waiting = [...this.paused];
    this.paused.clear();
    for (const session of waiting) session.resumeAfter(this);
  }

  #read(bytes: Buffer, length: number): void {
    if (this.isClosed) return;
    beginRead();
    this.#readAt = clock.now;
    this.#owner.heard();
    let at = this.#partial === null ? 0 : this.#resume(this.#partial, bytes, length);
    while (at < length && !this.isClosed) {
      const end = this.#scanner.scan(bytes, at, length);
      if (end <= 0 && end >= BROKEN) {
        if (end < 0) return this.destroy('the node answered something that is not RESP');
        this.#partial = new Partial();
        this.#partial.append(bytes, at, length);
        break;
      }
      this.#take(bytes, at, end);
      at = Math.abs(end);
    }
    if (!this.isCongested) return;
    if (this.pending < CONGESTED_REQUESTS / 2 && this.#writer.waiting === 0) this.#relieve();
  }

  /** Completes the reply that had begun; returns where the next one begins in `bytes`. */
  #resume(partial: Partial, bytes: Buffer, length: number): number {
    const before = partial.length;
    const end = completeReply(partial, this.#scanner, bytes, length);
    if (end === TOO_LONG) {
      this.#partial = null;
      // Not as a lost one: asked again, it would be the same.
      this.#take(REPLIES.replyTooLong, 0, REPLIES.replyTooLong.length);
      this.destroy('the node gave a reply of more than 1 GiB');
    } else if (end === BROKEN) this.destroy('the node answered something that is not RESP');
    if (end <= 0 && end >= TOO_LONG) return length;
    this.#partial = null;
    offer(partial.bytes);
    this.#take(partial.bytes, 0, end);
    offer(null);
    return Math.abs(end) - before;
  }

  #takeApart(bytes: Uint8Array): void {
    takeApart(bytes, this.#pushes, (reply, length) => this.#take(reply, 0, length));
  }

  /** `end`: as the scanner has it. Without a closure of its own, which would cost each reply one. */
  #take(bytes: Uint8Array, start: number, end: number): void {
    if (end < 0) return this.#takeApart(bytes.subarray(start, -end));
    const type = bytes[start]!;
    if (type === MINUS && this.#head === 0 && this.#turnsAway(bytes, start, end)) return;
    if (this.intercept !== null && this.#greetings === 0) {
      if (!this.intercept(bytes, start, end)) return;
    } else if (type === PUSH) {
      // Whatever this is, it is no reply.
      return this.#pushes?.pushed(bytes, start, end);
    }
    if (this.#head === this.#tail) return this.destroy('the node answered what nobody asked');
    const place = this.#head & (this.#ring.length - 1);
    this.#head = (this.#head + 1) | 0;
    const request = this.#ring[place]!;
    this.#ring[place] = null;
    if (request === null) {
      if (type === MINUS) this.#isSpoilt = true;
      if (this.#greetings > 0) {
        this.#greetings -= 1;
        if (type === MINUS) {
          const why = handshakeRefused(this, this.#owner, bytes, start, end);
          // HELLO or the last: without either it tells nothing.
          if (this.#greetings === 0 || this.#head === 1) this.#pushes?.untracked(why);
        }
      }
    } else if (request.generation === this.#generations[place]) {
      request.sent -= 1;
      noteReply(this.#latency, clock.now - this.#sentAt[place]!);
      if (type !== MINUS) {
        const watch = this.watch;
        if (watch === null || !watch.sees(request, bytes, start, end)) {
          request.sink!.deliver(request, bytes, start, end);
        }
      } else if (isCutOff(request, bytes, start)) {
        this.#cutOffAt = this.#head;
        handOn(request.sink!, request, bytes, start, end);
      } else if (!this.#owner.refused(request, bytes, start, end)) {
        const isTakenCareOf = this.watch?.sees(request, bytes, start, end) === true;
        if (!isTakenCareOf) handOn(request.sink!, request, bytes, start, end);
      }
    }
    // Only now: a refused command is sent again from its block.
    this.#release();
  }

  /** The first reply, an error. True: it is none, and nothing is carried out. */
  #turnsAway(bytes: Uint8Array, start: number, end: number): boolean {
    const first = this.#head === this.#tail ? null : this.#ring[0]!;
    const why = turnedAway(Buffer.from(bytes.subarray(start + 1, end - 2)).toString('latin1'));
    if (why === undefined || (first !== null && runsScript(first))) return false;
    this.#cutOffAt = this.#head;
    this.destroy(why);
    return true;
  }

  #release(): void {
    const block = this.#blocks[0];
    // Gone: the connection was closed meanwhile.
    if (block === undefined) return;
    block.users -= 1;
    if (block.users > 0) return;
    if (block !== this.#current) {
      this.#blocks.shift();
      // Answered as a whole before the next one is written: writing goes on at that one's begin.
      if (this.#writing > 0) this.#writing -= 1;
      else this.#writtenTo = 0;
      giveBlock(block);
    } else if (this.#writtenTo === block.end) {
      block.end = 0;
      this.#writtenTo = 0;
    }
  }

  #nextBlock(size: number): Block {
    const next = takeBlock(size);
    if (this.#current.users === 0) {
      // Empty, and too small.
      this.#blocks.pop();
      giveBlock(this.#current);
      if (this.#writing === this.#blocks.length) this.#writtenTo = 0;
    }
    this.#blocks.push(next);
    this.#current = next;
    return next;
  }
}
