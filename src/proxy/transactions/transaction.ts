/**
 * MULTI, EXEC, DISCARD, WATCH, UNWATCH: on a connection of the client's own, to the primary of its keys.
 *
 * Which node that is, the first key says; what comes before is answered here and sent on then. As in a Redis Cluster all
 * keys are of one slot.
 */
import { handOn } from '../wire/reply-sink.ts';
import { KIND, isCountRight, type Command } from '../../redis/command-table.ts';
import { type RequestFrame, wordAt } from '../../redis/request-frame.ts';
import { REPLIES, encodeCommand, encodeError, encodeWrongCount } from '../wire/encode.ts';
import { planEverywhere } from '../commands/everywhere.ts';
import { copyLocated } from '../commands/keyed-copies.ts';
import { crossing, locate, type Located, type Location } from '../client/locate.ts';
import { selected } from '../commands/local-commands.ts';
import { lookLater } from '../commands/look-later.ts';
import type { Mode } from '../client/mode.ts';
import type { OwnConnection } from '../upstream/own-connection.ts';
import { parseRefusal } from '../upstream/refusal.ts';
import type { Request } from '../wire/request.ts';
import type { Session } from '../client/session.ts';
import { ENDING, isApart, isNeverQueued } from './transaction-commands.ts';
import { TransactionConnection, nodeFor, type Goal } from './transaction-connection.ts';
import { TransactionCopies } from './transaction-copies.ts';
import { TransactionMessages } from './transaction-messages.ts';
import {
  ABORTED,
  EMPTY,
  MOVED_AWAY,
  NESTED,
  NO_EXEC,
  QUEUED,
  TOO_MUCH,
  WATCH_INSIDE,
  isCarriedOut,
  nothing,
} from './transaction-replies.ts';

const DISCARD = encodeCommand('DISCARD');
const MULTI = encodeCommand('MULTI');
const MINUS = 0x2d;

export class Transaction implements Mode {
  readonly #session: Session;
  #isMulti = false;
  /** A command was refused: EXEC will be. */
  #isAborted = false;
  /** Redis has said so. */
  #isWatching = false;
  /** What it watches may have changed unseen: nothing is carried out, and EXEC says what it says where keys have changed. */
  #isLost = false;
  /** Something like READONLY was queued, which outlives it. */
  #leavesTraces = false;
  readonly #connection: TransactionConnection;
  /** Over it the last command went, and not over those that all share. */
  #wentOwnWay = true;
  readonly #copies = new TransactionCopies();
  readonly #messages = new TransactionMessages();

  constructor(session: Session) {
    this.#session = session;
    this.#connection = new TransactionConnection(session, {
      movedAway: () => {
        this.#isLost ||= this.#isWatching;
      },
      lost: (isFirst) => {
        this.#isLost ||= this.#isWatching;
        this.#isAborted ||= !this.#isWatching && !isFirst;
      },
      gaveUp: () => {
        this.#isAborted = true;
      },
    });
  }

  changesWay(bytes: Buffer, frame: RequestFrame, command: Command): boolean {
    return !this.#isMulti && this.#goesOwnWay(bytes, frame, command) !== this.#wentOwnWay;
  }

  /** While it watches: what is asked where the watch is must come from there. One that is lost has EXEC refused anyway. */
  #goesOwnWay(bytes: Buffer, frame: RequestFrame, command: Command): boolean {
    if (command.kind === KIND.transaction) return true;
    if (this.#isLost || ENDING.has(command.name) || isApart(bytes, frame, command)) return false;
    const goal = this.#goalOf(bytes, frame, command);
    return goal !== undefined && this.#connection.isTo(goal);
  }

  take(bytes: Buffer, frame: RequestFrame, command: Command): boolean {
    this.#wentOwnWay = this.#takeInTime(bytes, frame, command);
    return this.#wentOwnWay;
  }

  #takeInTime(bytes: Buffer, frame: RequestFrame, command: Command): boolean {
    const waitMs = this.#waitMs(bytes, frame, command);
    if (waitMs === 0) return this.#take(bytes, frame, command);
    const isTime = (kept: Buffer, again: RequestFrame): boolean => this.#waitMs(kept, again, command) === 0;
    const then = (kept: Buffer, again: RequestFrame): void => void this.#take(kept, again, command);
    lookLater(this.#session, bytes, frame, command, waitMs, isTime, then);
    return true;
  }

  /** How long for somebody who can be asked where its first key is; 0: there is one, or it asks nobody. */
  #waitMs(bytes: Buffer, frame: RequestFrame, command: Command): number {
    if (this.#connection.own !== undefined || this.#isAborted) return 0;
    if (!this.#isMulti && command.name !== 'watch') return 0;
    const goal = command.name === 'exec' ? this.#goalWithoutKey() : this.#goalOf(bytes, frame, command);
    if (goal === undefined || nodeFor(goal) !== null) return 0;
    return goal.upstream.settings.failoverWaitMs;
  }

  #goalOf(bytes: Buffer, frame: RequestFrame, command: Command): Goal | undefined {
    const location = this.#locate(bytes, frame, command);
    return location.kind === 'keyed' ? location : undefined;
  }

  /** Of a transaction that ends before a key has said where it goes; undefined: it is empty, or there is nowhere. */
  #goalWithoutKey(): Goal | undefined {
    const upstream = this.#connection.hasEarly ? this.#session.home.routing.catchAll?.upstream : undefined;
    return upstream && { upstream, place: upstream.anyPlace(true) };
  }

  #take(bytes: Buffer, frame: RequestFrame, command: Command): boolean {
    const { isOfOtherProtocol, isOfFormerPlan } = this.#connection;
    this.#isLost ||= isOfOtherProtocol || (this.#isWatching && isOfFormerPlan);
    if (command.kind === KIND.transaction && !isCountRight(command, frame.count)) {
      this.#wrongCount(command);
      return true;
    }
    switch (command.name) {
      case 'multi':
        this.#multi(bytes, frame, command);
        return true;
      case 'exec':
      case 'discard':
        this.#end(bytes, frame, command);
        return true;
      case 'watch':
        this.#watch(bytes, frame, command);
        return true;
      case 'unwatch':
        if (!this.#isMulti) {
          if (this.#connection.own === undefined || this.#isLost) this.#session.answer(command, REPLIES.ok);
          else
            this.#giveUp(this.#session.newRequest(command), command, bytes.subarray(frame.start, frame.at));
          this.#leave();
          return true;
        }
        break;
      default:
        if (this.#isMulti ? ENDING.has(command.name) : !this.#goesOwnWay(bytes, frame, command)) return false;
    }
    const location = this.#locate(bytes, frame, command);
    if (this.#isMulti) {
      this.#queue(bytes, frame, command, location);
      return true;
    }
    if (location.kind !== 'keyed') return false;
    copyLocated(this.#session, command, location);
    this.#forward(command, location.bytes, location.from, location.to);
    return true;
  }

  refused(): void {
    if (this.#isMulti) this.#isAborted = true;
  }

  close(): void {
    this.#connection.close();
  }

  #multi(bytes: Buffer, frame: RequestFrame, command: Command): void {
    if (this.#isMulti) return this.#nested(command, bytes.subarray(frame.start, frame.at), NESTED);
    this.#isMulti = true;
    this.#session.answer(command, REPLIES.ok);
    this.#connection.multi();
  }

  #watch(bytes: Buffer, frame: RequestFrame, command: Command): void {
    const session = this.#session;
    const location = this.#locate(bytes, frame, command);
    if (this.#isMulti) {
      const isElsewhere = location.kind !== 'keyed' || !this.#connection.isTo(location);
      const asked = isElsewhere ? undefined : location.bytes.subarray(location.from, location.to);
      return this.#nested(command, asked, WATCH_INSIDE);
    }
    if (location.kind === 'refused') return session.answer(command, location.reply);
    if (location.kind === 'keyless') return this.#wrongCount(command);
    if (this.#isWatching && !this.#connection.isTo(location)) {
      // Whether the keys belong together nobody can say any more.
      if (!this.#connection.isMoved) return session.answer(command, crossing(location.upstream));
      this.#isLost = true;
    }
    if (this.#isLost) return session.answer(command, REPLIES.ok);
    this.#connection.enter(location);
    if (this.#connection.own === undefined) {
      session.answer(command, this.#connection.whyNot());
      this.#leave();
    } else if (this.#isWatching) {
      this.#forward(command, location.bytes, location.from, location.to);
    } else {
      this.#begin(this.#connection.own, command, location);
    }
  }

  /** Valkey 9 refuses EXEC then, Redis 7.0 does not: its server is asked. `asked` undefined: it would speak of the key instead. */
  #nested(command: Command, asked: Buffer | undefined, reply: Buffer): void {
    const isOver = this.#isAborted || this.#isLost;
    if (!isOver && this.#connection.own !== undefined && asked !== undefined)
      return this.#forward(command, asked, 0, asked.length);
    if (!isOver && this.#connection.own === undefined && !this.#connection.keepEarly(MULTI, 0, MULTI.length))
      return this.#refuse(command, TOO_MUCH);
    this.#session.answer(command, reply);
  }

  #wrongCount(command: Command): void {
    const reply = encodeWrongCount(command.name);
    if (command.name === 'exec') {
      if (this.#connection.own === undefined) this.#session.answer(command, NO_EXEC);
      else this.#giveUp(this.#session.newRequest(command), command, DISCARD, NO_EXEC);
      this.#leave();
    } else if (this.#isMulti) {
      this.#refuse(command, reply);
    } else {
      this.#session.answer(command, reply);
      if (!this.#isWatching) this.#leave();
    }
  }

  #queue(bytes: Buffer, frame: RequestFrame, command: Command, location: Location): void {
    const plan = planEverywhere(bytes, frame, command);
    if (isNeverQueued(command) || plan?.isRefused === true) {
      return this.#refuse(
        command,
        encodeError(`ERR Command '${command.name}' not allowed inside a transaction`),
      );
    }
    if (!isCountRight(command, frame.count)) {
      return this.#refuse(command, encodeWrongCount(command.name));
    }
    if (command.name === 'select') {
      // Only here it would be another one, and no longer behind EXEC.
      const reply = selected(wordAt(bytes, frame)(1), this.#session.home.routing.isCluster);
      if (reply !== REPLIES.ok) return this.#refuse(command, reply);
    }
    if (location.kind === 'refused') return this.#refuse(command, location.reply);
    if (this.#isLost) return this.#session.answer(command, QUEUED);
    if (location.kind === 'keyless') {
      this.#leavesTraces ||= command.kind === KIND.local;
      const what = { command, plan, bytes, from: frame.start, to: frame.at };
      this.#copies.keepWithoutKey(what, this.#session.home.routing);
      this.#messages.keep(command, bytes, frame.start, frame.at);
      if (this.#connection.own !== undefined) return this.#forward(command, bytes, frame.start, frame.at);
      if (!this.#connection.keepEarly(bytes, frame.start, frame.at)) return this.#refuse(command, TOO_MUCH);
      return this.#session.answer(command, QUEUED);
    }
    if (this.#connection.own !== undefined && !this.#connection.isTo(location))
      return this.#refuse(command, this.#connection.isMoved ? MOVED_AWAY : crossing(location.upstream));
    this.#copies.keep(command, location);
    const isFirst = this.#connection.own === undefined;
    this.#connection.enter(location);
    if (isFirst && this.#connection.own !== undefined) this.#begin(this.#connection.own, command, location);
    else this.#forward(command, location.bytes, location.from, location.to);
  }

  #end(bytes: Buffer, frame: RequestFrame, command: Command): void {
    const session = this.#session;
    const isExec = command.name === 'exec';
    if (!this.#isMulti) {
      session.answer(command, encodeError(`ERR ${command.name.toUpperCase()} without MULTI`));
      if (!this.#isWatching) this.#leave();
      return;
    }
    if (this.#connection.own === undefined && this.#connection.hasEarly && !this.#isAborted && isExec) {
      return this.#endWithoutKey(Buffer.from(bytes.subarray(frame.start, frame.at)), command);
    }
    const refusal = this.#isAborted ? ABORTED : nothing(this.#session);
    const instead = isExec ? refusal : REPLIES.ok;
    if (this.#isAborted && this.#connection.own === undefined) session.answer(command, instead);
    else if (this.#connection.own === undefined) session.answer(command, isExec ? EMPTY : REPLIES.ok);
    else if (this.#isAborted || this.#isLost)
      this.#giveUp(session.newRequest(command), command, DISCARD, instead);
    else this.#giveUp(session.newRequest(command), command, bytes.subarray(frame.start, frame.at));
    this.#leave();
  }

  /** Where it goes its last command says: EXEC follows once that is queued, at whichever node. */
  #endWithoutKey(exec: Buffer, command: Command): void {
    const session = this.#session;
    const goal = this.#goalWithoutKey();
    const last = this.#connection.takeLastEarly();
    if (goal !== undefined) this.#connection.enter(goal);
    const { own } = this.#connection;
    if (goal === undefined || last === undefined || own === undefined) {
      session.answer(command, this.#connection.whyNot());
      return this.#leave();
    }
    const request = session.newRequest(command);
    const sink = request.sink!;
    const free = session.hold();
    this.#connection.begin(own, goal, request, last, (answered, reply, start, end) => {
      answered.sink = sink;
      free();
      const isRefused = this.#isAborted || parseRefusal(reply, start, end) !== undefined;
      if (isRefused) handOn(sink, answered, reply, start, end);
      else this.#giveUp(answered, command, exec);
      this.#leave();
    });
  }

  /** The last command on the connection; `instead`: what the client gets in the place of Redis' answer. */
  #giveUp(request: Request, command: Command, bytes: Uint8Array, instead?: Buffer): void {
    const own = this.#connection.letGo(command.name === 'exec' && instead === undefined);
    if (own === undefined) return;
    const { isHeard } = this.#connection;
    own.leavesNothing = !this.#leavesTraces;
    this.#session.inOrderAndLeave(request, own, bytes, (reply, start) => {
      // Of what was to end without effect it is none that the connection has ended before.
      if (command.name !== 'exec') return instead ?? (reply[start] === MINUS ? REPLIES.ok : undefined);
      if (isCarriedOut(reply, start)) {
        this.#copies.sendAfter(this.#session);
        this.#messages.sendAfter(this.#session, own, isHeard);
      }
      return instead ?? (this.#isLost && reply[start] === MINUS ? nothing(this.#session) : undefined);
    });
  }

  #refuse(command: Command, reply: Buffer): void {
    this.#isAborted = true;
    this.#session.answer(command, reply);
  }

  #locate(bytes: Buffer, frame: RequestFrame, command: Command): Location {
    return locate(this.#session.home.routing, bytes, frame, command, false);
  }

  /** The first command with a key: the client's next ones are looked at once it is queued, at whichever node. */
  #begin(own: OwnConnection, command: Command, location: Located): void {
    const { bytes, from, to } = location;
    const session = this.#session;
    const request = session.newRequest(command);
    const sink = request.sink!;
    const free = session.hold();
    const first = Buffer.from(bytes.subarray(from, to));
    this.#connection.begin(own, location, request, first, (answered, reply, start, end) => {
      handOn(sink, answered, reply, start, end);
      this.#isWatching = !this.#isMulti && reply[start] !== MINUS;
      // Nothing to stay for.
      if (!this.#isMulti && !this.#isWatching) this.#leave();
      free();
    });
  }

  #forward(command: Command, bytes: Uint8Array, from: number, to: number): void {
    if (this.#connection.own === undefined) {
      this.#isAborted = true;
      return this.#session.answer(command, this.#connection.whyNot());
    }
    this.#session.inOrder(command, this.#connection.own, bytes.subarray(from, to));
  }

  #leave(): void {
    this.#connection.close();
    this.#session.leaveTransaction();
  }
}
