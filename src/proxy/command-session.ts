/**
 * What becomes of each command of a client, by its kind: they go out in order of arrival, and their replies leave in that
 * order, whoever answers first.
 *
 * Tight: every command passes `#command` (`npm run bench -- proxy`). What is rare lives in files of its own, behind the
 * switch on the command's kind.
 */
import type { Socket } from 'node:net';

import { KIND, findCommand, isCountRight, type Command } from '../redis/command-table.ts';
import { inlineToCommand } from '../redis/inline.ts';
import {
  BROKEN,
  COMPLETE,
  REQUEST_LIMITS,
  RequestFrame,
  STRANGER_LIMITS,
  frameOf,
  wordsOf,
  type FrameStatus,
  type RequestLimits,
} from '../redis/request-frame.ts';
import { mayWait, sendBlocking } from './commands/blocking.ts';
import { slotAskedAbout } from './commands/cluster-emulation.ts';
import { tellCommands } from './commands/command-command.ts';
import { REPLIES, encodeError, encodeWrongCount } from './wire/encode.ts';
import { commandCounts, countBegun, countError, countLater, countUnknown } from './wire/outcomes.ts';
import { planEverywhere, sendEverywhere } from './commands/everywhere.ts';
import type { Faults } from './client/faults.ts';
import { Input, type InputHandler } from './client/input.ts';
import { hidePasswords } from './commands/hidden-passwords.ts';
import { copyWithoutKey } from './commands/keyless-copies.ts';
import { answerFault } from './client/late-replies.ts';
import { MAX_REQUEST_BYTES } from './client/limits.ts';
import { CHANGES_CONNECTIONS, NOT_AUTHENTICATED, answerLocally } from './commands/local-commands.ts';
import { locate } from './client/locate.ts';
import { refusalOf } from './commands/refused-commands.ts';
import { sendScan } from './commands/scan.ts';
import { Session, type SessionHome } from './client/session.ts';
import { sendSplit } from './commands/split.ts';
import { Subscriptions } from './pubsub/subscriptions.ts';
import { Transaction } from './transactions/transaction.ts';
import { answerTracking, isTracking } from './commands/tracking-command.ts';
import { UNFINISHED_MS } from './client/unfinished.ts';
import { recognize } from './commands/unknown-command.ts';

export class CommandSession extends Session implements InputHandler {
  #subscriptions: Subscriptions | null = null;
  /** It has gone on over a change of the routing, and may have read by the former. */
  #isModeOld = false;
  readonly #input: Input;

  constructor(socket: Socket, home: SessionHome, id: number) {
    super(socket, home, id);
    this.#input = new Input(this, MAX_REQUEST_BYTES);
  }

  /** What lasts longer than a command follows the routing. */
  override rerouted(): void {
    this.local.follow(this.home.routing.listener.clientAuth);
    // Who has to give a password now would get messages all the same.
    const { tracking, isAuthenticated } = this.local;
    if ((this.#subscriptions !== null || tracking !== null) && !isAuthenticated) return this.end();
    this.#subscriptions?.rerouted();
    tracking?.rerouted();
    this.#isModeOld = this.mode !== null;
    this.lateBy = 0;
  }

  override get isSubscribed(): boolean {
    return this.#subscriptions?.isSubscribed === true;
  }

  override leaveTransaction(): void {
    this.mode = this.#subscriptions;
    if (this.#isModeOld) this.local.tracking?.forget();
    this.#isModeOld = false;
  }

  /** Jedis 8 sees every 30 s only that its connection has ended, and answers from its cache until then. */
  override end(): void {
    if (!this.isEnding) this.local.tracking?.forget();
    super.end();
  }

  protected override take(bytes: Buffer, length: number): void {
    this.#input.feed(bytes, length);
  }

  protected override proceed(): void {
    this.#input.proceed();
  }

  protected override dropInput(): void {
    this.#input.drop();
  }

  protected override unworked(): number {
    return this.#input.length;
  }

  override countAnew(): void {
    this.#input.countAnew();
  }

  protected override closed(): void {
    this.#leaveModes();
    this.local.track(null);
    this.home.ended(this);
  }

  #leaveModes(): void {
    this.mode?.close();
    this.#subscriptions?.close();
    this.#subscriptions = null;
    this.mode = null;
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

  unfinished(): void {
    this.#refuse(`Protocol error: unfinished request, nothing for ${UNFINISHED_MS / 1_000} s`);
  }

  #inline(line: Buffer): void {
    const command = inlineToCommand(line);
    if (typeof command === 'string') return this.#refuse(`Protocol error: ${command}`);
    if (command.length === 0) return;
    const frame = new RequestFrame();
    if (frame.parse(command, command.length, this.limits()) === COMPLETE) this.#command(command, frame);
    else this.#refuse('Protocol error: too big inline request');
  }

  #command(bytes: Buffer, frame: RequestFrame): void {
    const { offsets } = frame;
    const command = findCommand(bytes, offsets[0]!, offsets[1]!) ?? this.#unknown(bytes, frame);
    if (command === undefined) return;
    if (!this.local.isAuthenticated && command.kind !== KIND.local) {
      countBegun(command);
      this.mode?.refused();
      return this.answer(command, NOT_AUTHENTICATED);
    }
    if (this.mode !== null && !this.replies.isEmpty && this.mode.changesWay(bytes, frame, command)) {
      return this.#afterAnswers(bytes, frame, (kept, again) => this.#command(kept, again));
    }
    commandCounts[command.index]! += 1;
    const { routing } = this.home;
    if (routing.faults !== null && this.#injected(routing.faults, command)) return;
    // Who has to give a password first gives it in no mode.
    if (this.mode !== null && this.local.isAuthenticated && this.#inMode(bytes, frame, command)) return;
    switch (command.kind) {
      case KIND.keyed: {
        const key = 2 * command.firstKey;
        if (frame.count <= command.firstKey) return this.#keyMissing(bytes, frame, command);
        const [start, end] = [offsets[key]!, offsets[key + 1]!];
        const destination = routing.find(bytes, start, end);
        if (destination === null) return this.answer(command, REPLIES.noUpstreamHost);
        if (destination.cut > 0 || (!command.hasOneKey && !routing.checksKeys(destination))) {
          return this.#located(bytes, frame, command);
        }
        return this.send(command, destination, bytes, frame.start, frame.at, start, end);
      }
      case KIND.split:
        if (!isCountRight(command, frame.count)) return this.#wrongCount(command);
        return sendSplit(this, bytes, frame, command);
      case KIND.movable:
        return this.#located(bytes, frame, command);
      case KIND.local:
        if (!CHANGES_CONNECTIONS.has(command.name) && !isTracking(bytes, frame, command))
          return this.#answerLocally(bytes, frame, command);
        return this.#inItsTurn(bytes, frame, command, (kept, again) =>
          this.#answerLocally(kept, again, command),
        );
      case KIND.keyless:
        return this.#keyless(bytes, frame, command);
      case KIND.blocking:
        if (!isCountRight(command, frame.count)) return this.#wrongCount(command);
        if (!mayWait(bytes, frame, command)) return this.#located(bytes, frame, command);
        return this.#inItsTurn(bytes, frame, command, (kept, again) =>
          sendBlocking(this, kept, again, command),
        );
      case KIND.transaction:
        return this.#inItsTurn(bytes, frame, command, (kept, again) => {
          this.mode = new Transaction(this);
          this.mode.take(kept, again, command);
        });
      case KIND.pubsub:
        return this.#inItsTurn(bytes, frame, command, (kept, again) => {
          this.#subscriptions ??= new Subscriptions(this);
          // Who watches keys goes on doing so.
          this.mode ??= this.#subscriptions;
          this.#subscriptions.take(kept, again, command);
        });
      case KIND.everywhere: {
        if (!isCountRight(command, frame.count)) return this.#wrongCount(command);
        const plan = planEverywhere(bytes, frame, command);
        if (plan === undefined) return this.#keyless(bytes, frame, command);
        return sendEverywhere(this, bytes, frame, command, plan);
      }
      case KIND.scan:
        if (!isCountRight(command, frame.count)) return this.#wrongCount(command);
        return sendScan(this, bytes, frame, command);
      case KIND.refused:
        return this.answer(command, refusalOf(command.name));
    }
  }

  /** As a subscriber first, who may watch keys besides. */
  #inMode(bytes: Buffer, frame: RequestFrame, command: Command): boolean {
    if (this.#subscriptions?.restricts(bytes, frame, command) === true) return true;
    return this.mode!.take(bytes, frame, command);
  }

  /** One that is counted as begun, and begins only then. */
  #inItsTurn(
    bytes: Buffer,
    frame: RequestFrame,
    command: Command,
    then: (bytes: Buffer, frame: RequestFrame) => void,
  ): void {
    if (this.replies.isEmpty) return then(bytes, frame);
    countLater(command);
    this.#afterAnswers(bytes, frame, (kept, again) => {
      countBegun(command);
      then(kept, again);
    });
  }

  /** The command again, with bytes of its own where it has to wait. */
  #afterAnswers(
    bytes: Buffer,
    frame: RequestFrame,
    then: (bytes: Buffer, frame: RequestFrame) => void,
  ): void {
    if (this.replies.isEmpty) return then(bytes, frame);
    const kept = Buffer.from(bytes.subarray(frame.start, frame.at));
    const since = this.cameAt;
    this.afterAnswers(() => {
      this.beginLate(since, () => then(kept, frameOf(kept)));
    });
  }

  /** A container (OBJECT HELP) or a mistake. */
  #keyMissing(bytes: Buffer, frame: RequestFrame, command: Command): void {
    if (isCountRight(command, frame.count)) this.#keyless(bytes, frame, command);
    else this.#wrongCount(command);
  }

  /** True: the fault answers in the command's place. */
  #injected(faults: Faults, command: Command): boolean {
    this.lateBy = 0;
    // Local commands never have faults.
    if (command.kind === KIND.local) return false;
    const fault = faults.draw(command.name, Math.random());
    if (fault === undefined) return false;
    if (fault.type === 'DELAY') {
      this.lateBy = fault.delayMs ?? 0;
      return false;
    }
    // As if Redis had refused to queue it; EXEC, which ends the transaction, fails by itself then.
    this.mode?.refused();
    if (this.mode !== null && command.name === 'exec') return false;
    answerFault(fault, command, this, () => this.newRequest(command));
    return true;
  }

  #located(bytes: Buffer, frame: RequestFrame, command: Command): void {
    const found = locate(this.home.routing, bytes, frame, command, command.isRead);
    switch (found.kind) {
      case 'refused':
        return this.answer(command, found.reply);
      case 'keyless':
        return this.#keyless(bytes, frame, command);
      case 'keyed':
        this.send(
          command,
          found.destination,
          found.bytes,
          found.from,
          found.to,
          found.keyStart,
          found.keyEnd,
        );
    }
  }

  /** To any primary; what is wrong with it, Redis says. */
  #keyless(bytes: Buffer, frame: RequestFrame, command: Command): void {
    const { catchAll, upstreams } = this.home.routing;
    // Clients ask for INFO whether they may begin, and do not without an answer.
    const upstream = catchAll?.upstream ?? (command.name === 'info' ? upstreams[0] : undefined);
    if (upstream === undefined) return this.answer(command, REPLIES.noUpstreamHost);
    if (this.mayOvertake(upstream, command))
      return this.#inItsTurn(bytes, frame, command, (kept, again) => this.#keyless(kept, again, command));
    const request = this.newRequest(command);
    request.terms = this.home.routing.primaryTerms;
    request.place = this.placeWithoutKey(upstream, command);
    if (command.name === 'config') hidePasswords(request);
    this.heed(upstream.send(request, bytes, frame.start, frame.at));
    copyWithoutKey(this, { command, plan: undefined, bytes, from: frame.start, to: frame.at });
  }

  #answerLocally(bytes: Buffer, frame: RequestFrame, command: Command): void {
    const words = wordsOf(bytes, frame);
    if (command.name === 'command' && this.local.isAuthenticated) {
      if (!tellCommands(this, command, words.slice(1))) this.#keyless(bytes, frame, command);
      return;
    }
    if (command.name === 'cluster' && this.local.isAuthenticated) {
      if (this.#askedOfSlot(bytes, frame, command, words.slice(1))) return;
    }
    if (this.local.isAuthenticated && isTracking(bytes, frame, command))
      return this.answer(command, answerTracking(this, words.slice(2)));
    const { listener, isCluster } = this.home.routing;
    const around = { auth: listener.clientAuth, isCluster, clients: this.home.sessions };
    const { reply, ends = false } = answerLocally(this.local, command, words, around);
    if (command.name === 'reset') {
      if (isCountRight(command, words.length)) this.#leaveModes();
      else this.mode?.refused();
    }
    this.answer(command, reply);
    if (ends) this.end();
  }

  /** True: the node of the slot answers, in the catch-all's cluster. */
  #askedOfSlot(bytes: Buffer, frame: RequestFrame, command: Command, args: readonly string[]): boolean {
    const upstream = this.home.routing.catchAll?.upstream;
    const slot = slotAskedAbout(args);
    if (slot === undefined || upstream?.checksSlots !== true) return false;
    const request = this.newRequest(command);
    request.terms = this.home.routing.primaryTerms;
    request.place = slot === 'any' ? upstream.anyPlace() : slot;
    this.heed(upstream.send(request, bytes, frame.start, frame.at));
    return true;
  }

  /** undefined: nothing more is to be done with it. */
  #unknown(bytes: Buffer, frame: RequestFrame): Command | undefined {
    if (this.local.isAuthenticated) {
      return recognize(this, bytes, frame, (kept, again) => this.#command(kept, again));
    }
    this.mode?.refused();
    countError(countUnknown(), NOT_AUTHENTICATED, 0, NOT_AUTHENTICATED.length);
    this.say(NOT_AUTHENTICATED);
    return undefined;
  }

  #wrongCount(command: Command): void {
    this.answer(command, encodeWrongCount(command.name));
  }

  /** What it sent is not the protocol: where the next command begins is not known. */
  #refuse(problem: string): void {
    this.say(encodeError(`ERR ${problem}`));
    this.end();
  }
}
