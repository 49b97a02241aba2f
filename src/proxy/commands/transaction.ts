/**
 * MULTI, EXEC, DISCARD, WATCH, UNWATCH: on a connection of the client's own, to the primary of its keys.
 *
 * Which node that is, the first key says; what comes before is answered here and sent on then. As in a Redis Cluster all
 * keys are of one slot.
 */
import { KIND, isCountRight, type Command } from '../../redis/command-table.ts';
import type { RequestFrame } from '../../redis/request-frame.ts';
import { REPLIES, encodeCommand, encodeError } from '../wire/encode.ts';
import { planEverywhere } from './everywhere.ts';
import { FirstQueued } from './first-queued.ts';
import { copyLocated } from './keyed-copies.ts';
import { crossing, locate, type Located, type Location } from '../client/locate.ts';
import { lookLater } from './look-later.ts';
import type { Mode } from '../client/mode.ts';
import { RESP3, type Node } from '../topology/node.ts';
import { OwnConnection, whyNotOpened } from '../upstream/own-connection.ts';
import { ASKING, parseRefusal } from '../upstream/refusal.ts';
import { inFrontOf } from '../wire/reply-sink.ts';
import type { Request } from '../wire/request.ts';
import type { Session } from '../client/session.ts';
import { ENDING, MAX_EARLY_BYTES, isApart, isNeverQueued } from './transaction-commands.ts';
import { TransactionCopies } from './transaction-copies.ts';
import { ABORTED, EMPTY, MOVED_AWAY, QUEUED, TOO_MUCH, nothing } from './transaction-replies.ts';
import type { Upstream } from '../upstream/upstream.ts';

const MULTI = encodeCommand('MULTI');
const DISCARD = encodeCommand('DISCARD');
const MINUS = 0x2d;

interface Goal {
  readonly upstream: Upstream;
  readonly place: number;
}

export class Transaction implements Mode {
  readonly #session: Session;
  #isMulti = false;
  /** A command was refused: EXEC will be. */
  #isAborted = false;
  /** Redis has said so. */
  #isWatching = false;
  /** What it watches may have changed unseen: nothing is carried out, and EXEC says what it says where keys have changed. */
  #isLost = false;
  #own: OwnConnection | undefined;
  /** Over it the last command went, and not over those that all share. */
  #wentOwnWay = true;
  #kind = 0;
  #upstream: Upstream | undefined;
  #place = 0;
  /** Queued before the first key was seen. */
  #early: Buffer[] = [];
  #earlyBytes = 0;
  /** Not queued yet. */
  #first: FirstQueued | undefined;
  readonly #copies = new TransactionCopies();

  constructor(session: Session) {
    this.#session = session;
  }

  changesWay(bytes: Buffer, frame: RequestFrame, command: Command): boolean {
    return !this.#isMulti && this.#goesOwnWay(bytes, frame, command) !== this.#wentOwnWay;
  }

  /** While it watches: what is asked where the watch is must come from there. One that is lost has EXEC refused anyway. */
  #goesOwnWay(bytes: Buffer, frame: RequestFrame, command: Command): boolean {
    if (command.kind === KIND.transaction) return true;
    if (this.#isLost || ENDING.has(command.name) || isApart(bytes, frame, command)) return false;
    const goal = this.#goalOf(bytes, frame, command);
    return goal !== undefined && this.#isSame(goal);
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
    lookLater(this.#session, bytes, frame, waitMs, isTime, then);
    return true;
  }

  /** How long for somebody who can be asked where its first key is; 0: there is one, or it asks nobody. */
  #waitMs(bytes: Buffer, frame: RequestFrame, command: Command): number {
    if (this.#own !== undefined || this.#isAborted) return 0;
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
    const upstream = this.#early.length > 0 ? this.#session.home.routing.catchAll?.upstream : undefined;
    return upstream && { upstream, place: upstream.anyPlace(true) };
  }

  #take(bytes: Buffer, frame: RequestFrame, command: Command): boolean {
    // HELLO has come since the watch: over its connection replies would be of the other protocol.
    if (this.#own !== undefined && this.#kind !== this.#kindNow()) this.#isLost = true;
    if (command.kind === KIND.transaction && !isCountRight(command, frame.count)) {
      this.#wrongCount(command);
      return true;
    }
    switch (command.name) {
      case 'multi':
        this.#multi();
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
          if (this.#own === undefined || this.#isLost) this.#session.answer(REPLIES.ok);
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
    if (this.#own !== undefined) copyLocated(this.#session, command, location);
    this.#forward(command, location.bytes, location.from, location.to);
    return true;
  }

  refused(): void {
    if (this.#isMulti) this.#isAborted = true;
  }

  close(): void {
    this.#own?.close();
  }

  #multi(): void {
    if (this.#isMulti) return this.#session.answer(encodeError('ERR MULTI calls can not be nested'));
    this.#isMulti = true;
    this.#session.answer(REPLIES.ok);
    // A watch has said already where the keys are.
    this.#own?.send(null, MULTI);
  }

  #watch(bytes: Buffer, frame: RequestFrame, command: Command): void {
    const session = this.#session;
    if (this.#isMulti) return session.answer(encodeError('ERR WATCH inside MULTI is not allowed'));
    const location = this.#locate(bytes, frame, command);
    if (location.kind === 'refused') return session.answer(location.reply);
    if (location.kind === 'keyless') return this.#wrongCount(command);
    if (this.#isWatching && !this.#isSame(location)) return session.answer(crossing(location.upstream));
    if (this.#isLost) return session.answer(REPLIES.ok);
    this.#enter(location);
    if (this.#own === undefined) {
      session.answer(this.#whyNot());
      this.#leave();
    } else if (this.#isWatching) {
      this.#forward(command, location.bytes, location.from, location.to);
    } else {
      this.#begin(this.#own, command, location);
    }
  }

  #wrongCount(command: Command): void {
    const problem = `wrong number of arguments for '${command.name}' command`;
    if (command.name === 'exec') {
      const reply = encodeError(`EXECABORT Transaction discarded because of: ${problem}`);
      if (this.#own === undefined) this.#session.answer(reply);
      else this.#giveUp(this.#session.newRequest(command), command, DISCARD, reply);
      this.#leave();
    } else if (this.#isMulti) {
      this.#refuse(encodeError(`ERR ${problem}`));
    } else {
      this.#session.answer(encodeError(`ERR ${problem}`));
      if (!this.#isWatching) this.#leave();
    }
  }

  #queue(bytes: Buffer, frame: RequestFrame, command: Command, location: Location): void {
    const plan = planEverywhere(bytes, frame, command);
    if (isNeverQueued(command) || plan?.isRefused === true) {
      return this.#refuse(encodeError(`ERR Command '${command.name}' not allowed inside a transaction`));
    }
    if (!isCountRight(command, frame.count)) {
      return this.#refuse(encodeError(`ERR wrong number of arguments for '${command.name}' command`));
    }
    if (location.kind === 'refused') return this.#refuse(location.reply);
    if (this.#isLost) return this.#session.answer(QUEUED);
    if (location.kind === 'keyless') {
      const what = { command, plan, bytes, from: frame.start, to: frame.at };
      this.#copies.keepWithoutKey(what, this.#session.home.routing);
      if (this.#own !== undefined) return this.#forward(command, bytes, frame.start, frame.at);
      this.#earlyBytes += frame.at - frame.start;
      if (this.#earlyBytes > MAX_EARLY_BYTES) return this.#refuse(TOO_MUCH);
      this.#early.push(Buffer.from(bytes.subarray(frame.start, frame.at)));
      return this.#session.answer(QUEUED);
    }
    if (this.#own !== undefined && !this.#isSame(location)) return this.#refuse(crossing(location.upstream));
    this.#copies.keep(command, location);
    const isFirst = this.#own === undefined;
    this.#enter(location);
    if (isFirst && this.#own !== undefined) this.#begin(this.#own, command, location);
    else this.#forward(command, location.bytes, location.from, location.to);
  }

  #end(bytes: Buffer, frame: RequestFrame, command: Command): void {
    const session = this.#session;
    const isExec = command.name === 'exec';
    if (!this.#isMulti) {
      session.answer(encodeError(`ERR ${command.name.toUpperCase()} without MULTI`));
      if (!this.#isWatching) this.#leave();
      return;
    }
    if (this.#own === undefined && this.#early.length > 0 && !this.#isAborted && isExec) {
      return this.#endWithoutKey(Buffer.from(bytes.subarray(frame.start, frame.at)), command);
    }
    const refusal = this.#isAborted ? ABORTED : nothing(this.#session);
    const instead = isExec ? refusal : REPLIES.ok;
    if (this.#isAborted && this.#own === undefined) session.answer(instead);
    else if (this.#own === undefined) session.answer(isExec ? EMPTY : REPLIES.ok);
    else if (this.#isAborted || this.#isLost)
      this.#giveUp(session.newRequest(command), command, DISCARD, instead);
    else this.#giveUp(session.newRequest(command), command, bytes.subarray(frame.start, frame.at));
    this.#leave();
  }

  /** Where it goes its last command says: EXEC follows once that is queued, at whichever node. */
  #endWithoutKey(exec: Buffer, command: Command): void {
    const session = this.#session;
    const goal = this.#goalWithoutKey();
    const last = this.#early.pop();
    if (goal !== undefined) this.#enter(goal);
    if (goal === undefined || last === undefined || this.#own === undefined) {
      session.answer(this.#whyNot());
      return this.#leave();
    }
    const request = session.newRequest(command);
    const sink = request.sink!;
    const free = session.hold();
    request.sink = inFrontOf(sink, (answered, reply, start, end) => {
      this.#first = undefined;
      answered.sink = sink;
      free();
      const isRefused = this.#isAborted || parseRefusal(reply, start, end) !== undefined;
      if (isRefused) sink.deliver(answered, reply, start, end);
      else this.#giveUp(answered, command, exec);
      this.#leave();
    });
    this.#sendFirst(this.#own, goal, request, last);
  }

  /** The last command on the connection; `instead`: what the client gets in the place of Redis' answer. */
  #giveUp(request: Request, command: Command, bytes: Uint8Array, instead?: Buffer): void {
    const own = this.#own;
    this.#own = undefined;
    if (own === undefined) return;
    this.#session.inOrderAndClose(request, own, bytes, (reply, start) => {
      if (command.name !== 'exec') return instead;
      this.#copies.sendAfter(this.#session, reply, start);
      return instead ?? (this.#isLost && reply[start] === MINUS ? nothing(this.#session) : undefined);
    });
  }

  #refuse(reply: Buffer): void {
    this.#isAborted = true;
    this.#session.answer(reply);
  }

  #locate(bytes: Buffer, frame: RequestFrame, command: Command): Location {
    return locate(this.#session.home.routing, bytes, frame, command, false);
  }

  #isSame({ upstream, place }: Goal): boolean {
    if (this.#upstream !== upstream) return false;
    if (this.#place === place || upstream.checksSlots) return this.#place === place;
    // Other servers came or went, and its keys stayed.
    return this.#own !== undefined && upstream.primaryFor(place) === this.#own.node;
  }

  /** Writes and reads alike go to the primary, which must not answer once it is one no longer. */
  #kindNow(): number {
    return this.#session.connectionKind() & RESP3;
  }

  /** Opens the connection, if there is somebody to open it to. */
  #enter(goal: Goal): void {
    if (this.#own !== undefined) return;
    const { upstream, place } = goal;
    this.#upstream = upstream;
    this.#place = place;
    const node = nodeFor(goal);
    if (node !== null) this.#open(upstream, node);
  }

  #open(upstream: Upstream, node: Node, isAsking = false): OwnConnection {
    this.#kind = this.#kindNow();
    const own = new OwnConnection(upstream, node, this.#kind);
    own.onError = (request, text) => {
      // ASKING is for one command, or for all from MULTI on.
      const isFollowed = this.#isMulti || !text.startsWith('ASK ');
      if (isFollowed && this.#first?.request === request && this.#first.refused(own, text)) return true;
      const [, word, slot] = /^(MOVED|ASK) (\d+)/.exec(text) ?? [];
      // Redis speaks of the slot that all keys here are of; of another one only a script would, which was carried out.
      if (word === undefined || (upstream.checksSlots && Number(slot) !== this.#place)) {
        // What Redis refuses to queue makes it refuse the EXEC by itself.
        return false;
      }
      upstream.noteDoubt();
      this.#isLost ||= this.#isWatching;
      request.sink!.deliver(request, MOVED_AWAY, 0, MOVED_AWAY.length);
      return true;
    };
    own.onUnanswered = (request) => this.#first?.request === request && this.#first.unanswered();
    own.onLost = () => {
      this.#isLost ||= this.#isWatching;
      this.#isAborted ||= !this.#isWatching && this.#first === undefined;
    };
    this.#own = own;
    // Within MULTI it would be queued; before it, it is for all of the transaction.
    if (isAsking) own.send(null, ASKING);
    if (this.#isMulti) own.send(null, MULTI);
    for (const early of this.#early) own.send(null, early);
    return own;
  }

  /** The first command with a key: the client's next ones are looked at once it is queued, at whichever node. */
  #begin(own: OwnConnection, command: Command, location: Located): void {
    const { bytes, from, to } = location;
    const session = this.#session;
    const request = session.newRequest(command);
    const sink = request.sink!;
    const free = session.hold();
    request.sink = inFrontOf(sink, (answered, reply, start, end) => {
      this.#first = undefined;
      this.#early = [];
      sink.deliver(answered, reply, start, end);
      this.#isWatching = !this.#isMulti && reply[start] !== MINUS;
      // Nothing to stay for.
      if (!this.#isMulti && !this.#isWatching) this.#leave();
      free();
    });
    this.#sendFirst(own, location, request, Buffer.from(bytes.subarray(from, to)));
  }

  #sendFirst(own: OwnConnection, { upstream, place }: Goal, request: Request, bytes: Buffer): void {
    request.place = place;
    request.terms = this.#session.home.routing.primaryTerms;
    this.#first = new FirstQueued(this.#session, upstream, request, bytes, {
      open: (node, isAsking) => this.#open(upstream, node, isAsking),
      giveUp: (why) => {
        this.#isAborted = true;
        request.sink!.deliver(request, why, 0, why.length);
      },
    });
    this.#first.send(own);
  }

  #forward(command: Command, bytes: Uint8Array, from: number, to: number): void {
    if (this.#own === undefined) {
      this.#isAborted = true;
      return this.#session.answer(this.#whyNot());
    }
    this.#session.inOrder(command, this.#own, bytes.subarray(from, to));
  }

  /** Why there is no connection. */
  #whyNot(): Buffer {
    return whyNotOpened(this.#upstream, this.#place);
  }

  #leave(): void {
    this.#own?.close();
    this.#session.leaveTransaction();
  }
}

/** Who may be asked; null: nobody now. */
function nodeFor({ upstream, place }: Goal): Node | null {
  return upstream.isFull ? null : upstream.primaryFor(place);
}
