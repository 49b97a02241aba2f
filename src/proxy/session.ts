/**
 * One client: its commands go out in order of arrival, and their replies leave in that order, whoever answers first.
 *
 * Tight: every command passes `#command`, every reply `deliver` (`npm run bench -- proxy`). What is rare lives in files of
 * its own, behind the switch on the command's kind.
 */
import type { Socket } from 'node:net';

import { KIND, findCommand, type Command } from '../redis/command-table.ts';
import { inlineToCommand } from '../redis/inline.ts';
import { keyArguments } from '../redis/keys.ts';
import {
  BROKEN,
  COMPLETE,
  REQUEST_LIMITS,
  RequestFrame,
  STRANGER_LIMITS,
  type FrameStatus,
  type RequestLimits,
} from '../redis/request-frame.ts';
import type { Connection } from './connection.ts';
import { REPLIES, encodeError } from './encode.ts';
import type { Faults } from './faults.ts';
import { Input, type InputHandler } from './input.ts';
import { LateReplies, answerFault } from './late-replies.ts';
import { LocalState, answerLocally } from './local-commands.ts';
import { mirror } from './mirroring.ts';
import { READONLY, RESP3 } from './node.ts';
import { Output } from './output.ts';
import { ReplyQueue } from './reply-queue.ts';
import type { ReplySink } from './reply-sink.ts';
import { giveRequest, takeRequest, type Request } from './request.ts';
import type { Destination, MirrorDestination, Routing } from './routing.ts';
import { rewriteKeys } from './rewrite.ts';
import { MASTER } from './shard.ts';
import { sendSplit } from './split.ts';
import { beginTurn, clock, flushClient, type Flushable } from './turn.ts';

/** A client with more commands under way is not read from until half of them are answered. */
const MAX_PENDING = 4_096;
/** A client that has not taken so much of its replies is not read from. */
const MAX_UNREAD_BYTES = 1_048_576;

/** What a session needs to know of where it was accepted; the routing may be another one from one command to the next. */
export interface SessionHome {
  readonly routing: Routing;
  readonly maxRequestBytes: number;
  ended(session: Session): void;
}

export class Session implements Flushable, ReplySink, InputHandler {
  readonly home: SessionHome;
  readonly local: LocalState;
  readonly #socket: Socket;
  readonly #input: Input;
  readonly #output = new Output();
  readonly replies = new ReplyQueue(this.#output);
  #isDirty = false;
  isClosed = false;
  /** Nothing more is taken from it; it is closed when all is answered. */
  #isEnding = false;
  #isPaused = false;
  #congested: Connection | null = null;
  /** How late a fault makes the reply to the command at hand. */
  #lateBy = 0;

  constructor(socket: Socket, home: SessionHome, id: number) {
    this.#socket = socket;
    this.home = home;
    this.#input = new Input(this, home.maxRequestBytes);
    this.local = new LocalState(id, socket, home.routing.listener.clientAuth);
    socket.on('drain', () => this.#resume());
    // The client is gone; 'close' follows.
    socket.on('error', () => {});
    socket.on('end', () => this.end());
    socket.on('close', () => this.#close());
  }

  get isStopped(): boolean {
    return this.#isPaused || this.#isEnding || this.isClosed;
  }

  /** What came from the socket; the buffer is used again after it. False: no more, until it is asked for. */
  read(bytes: Buffer, length: number): boolean {
    if (this.#isEnding || this.isClosed) return true;
    beginTurn();
    this.#input.feed(bytes, length);
    return !this.#isPaused;
  }

  /** Nothing more is taken in; what was asked is answered, then the connection ends. */
  end(): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    this.#input.drop();
    if (this.replies.isEmpty) this.#flushAndEnd();
  }

  destroy(): void {
    this.#socket.destroy();
    this.#close();
  }

  deliver(request: Request, bytes: Uint8Array, start: number, end: number): void {
    if (this.isClosed) return giveRequest(request);
    if (!this.replies.take(request, bytes, start, end)) return;
    this.#flushLater();
    if (this.#isEnding && this.replies.isEmpty) this.#flushAndEnd();
  }

  /** A reply made here, behind those that are still awaited. */
  answer(reply: Uint8Array): void {
    if (this.replies.add(reply)) this.#flushLater();
  }

  flush(): void {
    this.#isDirty = false;
    if (this.isClosed) return;
    this.#output.flush(this.#socket);
    if (this.#socket.writableLength > MAX_UNREAD_BYTES) this.#isPaused = true;
    else if (this.#isPaused && this.replies.length < MAX_PENDING / 2) this.#resume();
  }

  /** Queued and counted; its place and its bytes are the caller's business. */
  newRequest(command: Command): Request {
    const request = this.newPart(command);
    request.sink = this.#lateBy > 0 ? new LateReplies(this, this.#lateBy) : this;
    this.replies.push(request);
    if (this.replies.length >= MAX_PENDING) this.#isPaused = true;
    return request;
  }

  /** With this session's terms, but not queued. */
  newPart(command: Command): Request {
    const request = takeRequest();
    const { terms } = this.home.routing;
    request.terms = terms;
    request.isRead = command.isRead;
    request.connectionKind =
      (this.local.protocol === 3 ? RESP3 : 0) | (terms.policy === MASTER ? 0 : READONLY);
    request.startedAt = clock.now;
    return request;
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

  limits(): RequestLimits {
    return this.local.isAuthenticated ? REQUEST_LIMITS : STRANGER_LIMITS;
  }

  dispatch(bytes: Buffer, frame: RequestFrame, status: FrameStatus): void {
    if (status === COMPLETE) {
      if (frame.count > 0) this.#command(bytes, frame);
    } else if (status === BROKEN) {
      this.#refuse(frame.problem);
    } else {
      this.#inline(bytes.subarray(frame.start, frame.at));
    }
  }

  tooBig(): void {
    this.#refuse('Protocol error: too big request');
  }

  #inline(line: Buffer): void {
    const command = inlineToCommand(line);
    if (command === undefined) return this.#refuse('Protocol error: unbalanced quotes in request');
    if (command.length === 0) return;
    const frame = new RequestFrame();
    if (frame.parse(command, command.length, this.limits()) === COMPLETE) this.#command(command, frame);
    else this.#refuse('Protocol error: too big inline request');
  }

  #command(bytes: Buffer, frame: RequestFrame): void {
    const { offsets } = frame;
    const command = findCommand(bytes, offsets[0]!, offsets[1]!);
    if (command === undefined) return this.#unknown(bytes, frame);
    if (!this.local.isAuthenticated && command.kind !== KIND.local) {
      return this.answer(NOT_AUTHENTICATED);
    }
    const { routing } = this.home;
    if (routing.faults !== null && this.#injected(routing.faults, command)) return;
    switch (command.kind) {
      case KIND.keyed: {
        const key = 2 * command.firstKey;
        if (frame.count <= command.firstKey) return this.#wrongCount(command);
        const [start, end] = [offsets[key]!, offsets[key + 1]!];
        const destination = routing.find(bytes, start, end);
        if (destination === null) return this.answer(REPLIES.noUpstreamHost);
        if (destination.cut > 0) return this.#cut(bytes, frame, command, destination);
        return this.send(command, destination, bytes, frame.start, frame.at, start, end);
      }
      case KIND.split:
        if (!isCountRight(command, frame)) return this.#wrongCount(command);
        return sendSplit(this, bytes, frame, command);
      case KIND.movable:
        return this.#movable(bytes, frame, command);
      case KIND.local:
        return this.#answerLocally(bytes, frame, command);
      case KIND.keyless:
        return this.#keyless(bytes, frame, command);
      case KIND.everywhere:
      case KIND.scan:
      case KIND.transaction:
      case KIND.blocking:
      case KIND.pubsub:
      case KIND.refused:
        return this.answer(encodeError(`ERR '${command.name}' is not carried out by this proxy`));
    }
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
    this.mirror(destination.mirrors, command, bytes, from, to, bytes, start, end);
  }

  /** `bytes[from, to)` is the command, `keyBytes[start, end)` the key that decides. */
  mirror(
    mirrors: readonly MirrorDestination[],
    command: Command,
    bytes: Uint8Array,
    from: number,
    to: number,
    keyBytes: Uint8Array,
    start: number,
    end: number,
  ): void {
    const copy = ({ upstream }: MirrorDestination): Request => {
      const request = this.newPart(command);
      request.place = upstream.placeOf(keyBytes, start, end, request.terms.hashTags);
      return request;
    };
    mirror(mirrors, copy, command.isRead, bytes, from, to);
  }

  /** True: the fault answers in the command's place. */
  #injected(faults: Faults, command: Command): boolean {
    this.#lateBy = 0;
    // Local commands never have faults.
    if (command.kind === KIND.local) return false;
    const fault = faults.draw(command.name, Math.random());
    if (fault === undefined) return false;
    if (fault.type === 'DELAY') {
      this.#lateBy = fault.delayMs ?? 0;
      return false;
    }
    answerFault(fault, this.newRequest(command));
    return true;
  }

  /** Keys whose prefix is removed: the command is written anew. */
  #cut(bytes: Buffer, frame: RequestFrame, command: Command, destination: Destination): void {
    const keys = keyArguments(command.keys, frame.count, argumentAt(bytes, frame));
    const rewritten = rewriteKeys(bytes, frame, keys, destination.cut);
    const written = new RequestFrame();
    written.parse(rewritten, rewritten.length, REQUEST_LIMITS);
    const first = 2 * (keys[0] ?? 0);
    const { offsets } = written;
    this.send(command, destination, rewritten, 0, rewritten.length, offsets[first]!, offsets[first + 1]!);
  }

  #movable(bytes: Buffer, frame: RequestFrame, command: Command): void {
    const { offsets } = frame;
    const [first] = keyArguments(command.keys, frame.count, argumentAt(bytes, frame));
    if (first === undefined) return this.#keyless(bytes, frame, command);
    const [start, end] = [offsets[2 * first]!, offsets[2 * first + 1]!];
    const destination = this.home.routing.find(bytes, start, end);
    if (destination === null) return this.answer(REPLIES.noUpstreamHost);
    if (destination.cut > 0) return this.#cut(bytes, frame, command, destination);
    this.send(command, destination, bytes, frame.start, frame.at, start, end);
  }

  /** To any primary; what is wrong with it, Redis says. */
  #keyless(bytes: Buffer, frame: RequestFrame, command: Command): void {
    const upstream = this.home.routing.catchAll?.upstream;
    if (upstream === undefined) return this.answer(REPLIES.noUpstreamHost);
    const request = this.newRequest(command);
    request.isRead = false;
    request.place = upstream.anyPlace();
    this.heed(upstream.send(request, bytes, frame.start, frame.at));
  }

  #answerLocally(bytes: Buffer, frame: RequestFrame, command: Command): void {
    const words = Array.from({ length: frame.count }, (_, index) =>
      bytes.toString('utf8', frame.offsets[2 * index], frame.offsets[2 * index + 1]),
    );
    const { clientAuth } = this.home.routing.listener;
    const { reply, ends = false } = answerLocally(this.local, command, words, clientAuth);
    this.answer(reply);
    if (ends) this.end();
  }

  #unknown(bytes: Buffer, frame: RequestFrame): void {
    if (!this.local.isAuthenticated) return this.answer(NOT_AUTHENTICATED);
    const words = Array.from({ length: Math.min(frame.count, 21) }, (_, index) =>
      bytes.toString('latin1', frame.offsets[2 * index], frame.offsets[2 * index + 1]).slice(0, 128),
    );
    const args = words.slice(1).map((word) => `'${word}' `);
    const text = `ERR unknown command '${words[0] ?? ''}', with args beginning with: ${args.join('')}`;
    this.answer(Buffer.from(`-${text.replaceAll(/[\r\n]/g, ' ')}\r\n`, 'latin1'));
  }

  #wrongCount(command: Command): void {
    this.answer(encodeError(`ERR wrong number of arguments for '${command.name}' command`));
  }

  /** What it sent is not the protocol: where the next command begins is not known. */
  #refuse(problem: string): void {
    this.answer(encodeError(`ERR ${problem}`));
    this.end();
  }

  #flushLater(): void {
    if (this.#isDirty) return;
    this.#isDirty = true;
    flushClient(this);
  }

  /** Goes on with what had come already, then with the socket. */
  #resume(): void {
    if (!this.#isPaused || this.isClosed || this.#congested !== null) return;
    if (this.replies.length >= MAX_PENDING || this.#socket.writableLength > MAX_UNREAD_BYTES) return;
    this.#isPaused = false;
    this.#input.proceed();
    // Paused again by what had come.
    if (this.isStopped) return;
    this.#socket.resume();
    this.#socket.read(0);
  }

  #flushAndEnd(): void {
    if (this.isClosed) return;
    this.#output.flush(this.#socket);
    this.#socket.end();
  }

  #close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.#congested?.paused.delete(this);
    this.#output.drop();
    this.replies.drop();
    this.#input.drop();
    this.home.ended(this);
  }
}

const NOT_AUTHENTICATED = encodeError('NOAUTH Authentication required.');

function argumentAt(bytes: Buffer, { offsets }: RequestFrame): (index: number) => string {
  return (index) => bytes.toString('latin1', offsets[2 * index], offsets[2 * index + 1]);
}

function isCountRight({ arity }: Command, { count }: RequestFrame): boolean {
  return arity < 0 ? count >= -arity : count === arity;
}
