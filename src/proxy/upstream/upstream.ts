/**
 * What commands are sent to, of either mode: which node, and what happens when that one can't.
 *
 * A read is tried elsewhere at once; a write only where it certainly was not carried out. While nobody can be asked a
 * command waits, for at most `failoverWaitMs`; what its client asks of the same slot waits behind it.
 */
import type { Upstream as UpstreamPlan } from '../../plan/routing-plan.ts';
import { isAbsentScript } from '../../redis/absence.ts';
import { handOn } from '../wire/reply-sink.ts';
import { OwnConnections } from './own-connections.ts';
import { sendInParts } from './by-key.ts';
import type { Connection } from '../wire/connection.ts';
import { REPLIES } from '../wire/encode.ts';
import { HedgeBudget } from './hedge-budget.ts';
import { Invalidations } from './invalidations.ts';
import type { Node, NodeOwner } from '../topology/node.ts';
import { isCopy } from '../wire/nobody.ts';
import { giveOwnBytes, keepBytes } from '../wire/own-bytes.ts';
import { pauseMs } from './pause.ts';
import { ASKING, MAX_HOPS, parseRefusal } from './refusal.ts';
import type { Request } from '../wire/request.ts';
import { runsScript } from '../wire/script-words.ts';
import { ServerDirectory } from './server-directory.ts';
import { SilenceWatch } from './silence-watch.ts';
import type { SlowLog } from '../wire/slow-log.ts';
import { SoonAgain } from './soon-again.ts';
import { beginTurn, clock } from '../wire/turn.ts';
import type { UpstreamSettings } from './upstream-settings.ts';
import { statusOf, type UpstreamStatus } from './upstream-status.ts';
import type { Given, Setback } from './waiting-line.ts';
import { WaitingLines, isOrdered } from './waiting-lines.ts';

export abstract class Upstream extends ServerDirectory implements NodeOwner {
  readonly settings: UpstreamSettings;
  /** undefined: no limit. */
  readonly maxConnections: number | undefined;
  readonly ownConnections: OwnConnections;
  readonly invalidations = new Invalidations();
  readonly #waiting = new WaitingLines();
  /** Nobody tells that the replies have come for which some wait. */
  readonly #soonAgain = new SoonAgain(() => this.retryHeld());
  /** What became of commands that their first node did not carry out. */
  readonly #events = { redirected: 0, retried: 0, hedged: 0, held: 0, doubted: 0, failed: 0 };
  readonly #hedging = new HedgeBudget();
  readonly #silence: SilenceWatch;
  #isClosed = false;

  constructor(settings: UpstreamSettings, maxConnections?: number) {
    super();
    this.settings = settings;
    this.ownConnections = new OwnConnections(settings.failoverWaitMs);
    this.maxConnections = maxConnections;
    this.#silence = new SilenceWatch(settings.hedgeAfterMs, {
      hedge: (request, from) => this.#hedge(request, from),
      timedOut: (request, node) => {
        this.#noteCarriedOut(request, node);
        this.answer(request, REPLIES.upstreamFailure);
      },
    });
  }

  abstract changed(node: Node): void;

  /** Who comes later is told that there is nobody: what waited would do so for ever. */
  close(): void {
    this.#isClosed = true;
  }

  /** True: it carries out that plan from now on. False: that takes another one. */
  follow(_plan: UpstreamPlan): boolean {
    return false;
  }

  /** For people and metrics. */
  status(): UpstreamStatus {
    const { isReady, problem } = this;
    const nodes = Array.from(this.nodes(), statusOf);
    return { isReady, problem, nodes, events: { ...this.#events }, topologyAgeMs: undefined };
  }

  /** As many connections as its object allows; those that clients share are always made, and count. */
  get isFull(): boolean {
    if (this.maxConnections === undefined) return false;
    let { count } = this.ownConnections;
    for (const node of this.nodes()) for (const _ of node.connections()) count += 1;
    return count >= this.maxConnections;
  }

  /** Of a command that is under way on a connection of its client's own. */
  noteRetry(): void {
    this.#events.retried += 1;
  }

  /** Commands come that wait for a reply at most so long. */
  expectTimeouts(timeoutMs: number): void {
    this.#silence.expectTimeouts(timeoutMs);
  }

  /** For a request that is to be sent now; null: nobody can be asked. */
  connectionFor(request: Request): Connection | null {
    if (!this.#waiting.isEmpty && this.#waiting.isBehind(request)) return null;
    return this.#connectionNow(request);
  }

  #connectionNow(request: Request): Connection | null {
    const node = this.nodeFor(request);
    if (node === null) return null;
    if (request.isRead) {
      this.#hedging.reads += 1;
      node.reads += 1;
    } else {
      node.writes += 1;
    }
    return node.connection(request.connectionKind);
  }

  /** Sends it to where its place and terms say; null: it is held. */
  send(request: Request, bytes: Uint8Array, start: number, end: number): Connection | null {
    const connection = this.connectionFor(request);
    if (connection === null) this.#hold(request, bytes, start, end);
    else connection.append(request, bytes, start, end);
    return connection;
  }

  refused(request: Request, node: Node, bytes: Uint8Array, start: number, end: number): boolean {
    const refusal = parseRefusal(bytes, start, end);
    if (refusal === undefined) {
      // A replica that came later has no scripts, and what was loaded last is on its way to it.
      return request.isRead && isAbsentScript(bytes, start, end) && this.doubted(request, node);
    }
    const isRedirection = refusal.kind === 'moved' || refusal.kind === 'ask';
    if (isRedirection && !request.terms.followRedirections) {
      this.noteDoubt();
      return false;
    }
    if (request.sent > 0) {
      if (refusal.kind === 'unfit' && !this.#isHearsay(request)) node.update({ unfit: refusal.word });
      if (isRedirection) this.redirected(request, refusal, node);
      return this.#hedgeAnew(request, node);
    }
    const reply = (): Buffer => Buffer.from(bytes.subarray(start, end));
    switch (refusal.kind) {
      case 'moved':
      case 'ask': {
        request.hops += 1;
        this.#events.redirected += 1;
        if (request.hops > MAX_HOPS) {
          this.answer(request, REPLIES.tooManyRedirections);
          return true;
        }
        const note = this.#waiting.noteRedirected(request, node);
        if (note?.isOvertaken === true) return false;
        const target = this.redirected(request, refusal, node);
        if (target === undefined) return false;
        if (target === null) {
          // Not followed, and no hop: it may come back, or have its slots taken over.
          const setback = { reply: REPLIES.noUpstreamHost, node };
          if (!this.#later(request, setback)) this.answer(request, REPLIES.noUpstreamHost);
          return true;
        }
        const connection = target.connection(request.connectionKind);
        if (note?.isOpen === true || this.#waiting.isOvertaking(request, connection))
          return this.#again(request, { reply: reply(), isBehind: true });
        if (note !== undefined) note.connection = connection;
        if (refusal.kind === 'ask') connection.append(null, ASKING, 0, ASKING.length);
        connection.append(request, request.block!.bytes, request.start, request.end);
        return true;
      }
      case 'unfit':
        if (this.#isHearsay(request)) return this.#later(request, { reply: reply(), node });
        node.update({ unfit: refusal.word });
        return this.#again(request, { reply: reply(), node });
      case 'torn':
        if (!this.#isHearsay(request)) this.noteMoving(request.place);
        if (this.#waiting.isAlone(request, node) && this.#sendByKey(request)) return true;
        return this.#later(request, { reply: reply(), goesAlone: true, node });
      case 'later':
        return this.#later(request, { reply: reply(), node });
    }
  }

  /** Of others nothing follows from a script's words: it is asked what is true. */
  #isHearsay(request: Request): boolean {
    if (!runsScript(request)) return false;
    this.noteDoubt();
    return true;
  }

  #sendByKey(request: Request): boolean {
    return sendInParts(request, undefined, (part, own) => {
      if (this.#waiting.leave(request)) this.#waiting.noteUnderWay(part, true);
      const connection = this.#connectionNow(part);
      if (connection === null) this.#hold(part, own, 0, own.length, {});
      else connection.append(part, own, 0, own.length);
    });
  }

  carriedOut(request: Request, node: Node): boolean {
    if (!this.#waiting.isEarly(request, node.connection(request.connectionKind))) {
      this.#noteCarriedOut(request, node);
      return false;
    }
    if (request.sent > 0) return this.#hedgeAnew(request, node);
    return this.#again(request, {});
  }

  #noteCarriedOut(request: Request, node: Node): void {
    if (this.#waiting.isEmpty || !isOrdered(request)) return;
    this.#waiting.carriedOut(request, node.connection(request.connectionKind));
  }

  /** What `node` has not answered of these places counts from now on as older than what is sent elsewhere. */
  protected hasMoved(node: Node, isPlace: (place: number) => boolean): void {
    for (const connection of node.connections()) {
      connection.overdue(Infinity, (request) => {
        if (isPlace(request.place)) this.#waiting.noteUnderWay(request, false);
      });
    }
  }

  #later(request: Request, setback: Setback): boolean {
    // As long as any command waits; then its client may know.
    const until = request.startedAt + this.settings.failoverWaitMs;
    if (clock.now > until) return false;
    // Keys that are half moved: each try begins anew, and may be redirected again.
    request.hops = 0;
    return this.#again(request, { ...setback, delayMs: pauseMs(request.startedAt, until) });
  }

  /** The primary is asked. Also where another replica is still at it, which may be silent, and whose word would be doubted likewise. */
  doubted(request: Request, node: Node): boolean {
    const primary = this.primaryFor(request.place);
    const { block, start, end } = request;
    if (primary === null || primary === node || isCopy(request)) return false;
    this.#events.doubted += 1;
    primary.connection(request.connectionKind).append(request, block!.bytes, start, end);
    return true;
  }

  lost(request: Request, wasSent: boolean, node: Node): void {
    if (request.sent > 0) return void this.#hedgeAnew(request, node);
    if (wasSent) request.hops += 1;
    const mayBeTwice = request.isRead && request.hops <= MAX_HOPS && !isCopy(request);
    if (wasSent && !mayBeTwice) {
      this.#noteCarriedOut(request, node);
      this.answer(request, REPLIES.upstreamFailure);
      return;
    }
    this.#again(request, {});
  }

  /** Nothing is under way. */
  get isIdle(): boolean {
    for (const node of this.nodes()) if (node.isWaitedFor) return false;
    return this.#waiting.length === 0 && this.ownConnections.isIdle && !this.hasLeaving;
  }

  /** Several times a second: who is silent, what has waited too long. `isBehind`: we were not listening ourselves. */
  tick(now: number, isBehind: boolean): void {
    if (!isBehind) {
      for (const node of this.nodes()) {
        this.#silence.look(node, now);
        this.nodeLog?.look(node, now);
      }
      this.ownConnections.expire(now);
    }
    this.retryHeld();
    this.#hedging.tick(now);
    this.invalidations.tick(now, this.nodes());
  }

  /** Tries what is held again; call it whenever a node may be asked again. */
  protected retryHeld(): void {
    if (this.#waiting.isEmpty) return;
    beginTurn();
    const isSoon = this.#waiting.retry(performance.now(), {
      send: (request, isFirst) => {
        this.placeElsewhere(request);
        const again = (): Connection | null =>
          this.nodeFor(request)?.connection(request.connectionKind) ?? null;
        const connection = isFirst ? this.#connectionNow(request) : again();
        connection?.append(request, request.block!.bytes, request.start, request.end);
        return connection !== null;
      },
      giveUp: (held) => this.#giveUp(held),
    });
    if (isSoon) this.#soonAgain.ask();
  }

  #giveUp({ request, reply = this.refusing(request) }: Given): void {
    this.answer(request, reply ?? REPLIES.noUpstreamHost);
  }

  /** Its bytes have waited: what may be carried out elsewhere need not wait any longer. */
  protected placeElsewhere(_request: Request): void {}

  /** Asks a second node; the first answer counts. `from`: where it waits. */
  #hedge(request: Request, from: Connection): void {
    if (this.#hedging.isSpent || isCopy(request)) return;
    const connection = this.nodeFor(request)?.connection(request.connectionKind);
    if (connection === undefined || connection === from) return;
    // It would not see what its client wrote before, and its first node has not said to be done.
    if (this.#waiting.isBehindWrites(request, from) || this.#waiting.isOvertaking(request, connection))
      return;
    this.#hedging.spend();
    request.hedgedAs = request.generation;
    this.#events.hedged += 1;
    connection.append(request, request.block!.bytes, request.start, request.end);
  }

  /** Another node is still at it, and may be silent: it is asked of a third, if there is one. */
  #hedgeAnew(request: Request, node: Node): true {
    if (this.nodeFor(request) !== node) request.hedgedAs = -1;
    return keepBytes(request);
  }

  #again(request: Request, setback: Setback): true {
    const { block, start, end } = request;
    // Nobody is at it any more: whoever gets it now may be silent, too.
    request.hedgedAs = -1;
    this.#events.retried += 1;
    const { delayMs = 0, isBehind = false, node: from } = setback;
    // Where it was refused, what is behind it need not be.
    const isFollowed = from !== undefined && this.#waiting.isFollowed(request, from);
    const mayBeOvertaken = isBehind || isFollowed || this.#waiting.isOpen(request);
    const node = delayMs === 0 && !mayBeOvertaken ? this.nodeFor(request) : null;
    const connection = node?.connection(request.connectionKind) ?? null;
    const mayGo = connection !== null && !this.#waiting.isOvertaking(request, connection);
    if (mayGo) connection.append(request, block!.bytes, start, end);
    else this.#hold(request, block!.bytes, start, end, setback);
    return true;
  }

  /** `setback` undefined: it was not under way. */
  #hold(request: Request, bytes: Uint8Array, start: number, end: number, setback?: Setback): void {
    if (this.#isClosed) return void setImmediate(() => this.answer(request, REPLIES.noUpstreamHost));
    this.#events.held += 1;
    giveOwnBytes(request, bytes, start, end);
    request.sink!.kept?.(end - start);
    if (this.place(request)) this.#wait(request, setback);
    // Its client may have asked for some of its keys since, where those are now.
    else this.#giveUp({ request, reply: setback?.reply });
  }

  #wait(request: Request, setback: Setback | undefined): void {
    const since = Math.min(request.startedAt, this.inVainSince(request));
    const until = since + this.settings.failoverWaitMs;
    const isSoon = this.#waiting.add(request, until, setback);
    if (isSoon || until <= clock.now) this.#soonAgain.ask();
  }

  get slow(): SlowLog | null {
    return this.settings.slow ?? null;
  }

  /** Keys are at other servers: what waits is looked for there, in its order, behind what is under way. `gone`: servers no longer. */
  protected placeAnew(gone: readonly Node[]): void {
    const elsewhere: Request[] = [];
    for (const node of [...this.nodes(), ...gone]) {
      for (const connection of node.connections())
        connection.overdue(Infinity, (request) => {
          // It has several places by now, and who was asked may carry it out.
          if (!this.place(request)) this.#waiting.carriedOut(request, connection);
          else if (this.holderOf(request.place) !== node) elsewhere.push(request);
        });
    }
    if (!this.#waiting.isEmpty) {
      this.#waiting.placeAnew({
        place: (request) => this.place(request),
        tear: (request, setback) => this.#tear(request, setback),
        giveUp: (held) => this.#giveUp(held),
      });
    }
    for (const request of elsewhere) this.#waiting.noteUnderWay(request, false);
  }

  /** Its keys are at different servers by now, and nobody has carried it out: as if it were asked now. */
  #tear(request: Request, setback: Setback | undefined): void {
    const { hashTags } = request.terms;
    const placeOf = (bytes: Buffer, start: number, end: number): number =>
      this.placeOf(bytes, start, end, hashTags);
    const isSplit = sendInParts(request, placeOf, (part, own) => {
      giveOwnBytes(part, own, 0, own.length);
      this.place(part);
      this.#wait(part, setback);
    });
    if (!isSplit) this.answer(request, REPLIES.crossSlot);
  }

  /** With an error of our own. */
  protected answer(request: Request, reply: Buffer): void {
    this.#events.failed += 1;
    const { slow } = this;
    if (slow !== null && clock.now - request.startedAt >= slow.thresholdMs) slow.note(request, undefined);
    handOn(request.sink!, request, reply);
  }
}
