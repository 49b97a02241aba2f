/**
 * The connection of a transaction: to the node that has its keys, and to another one as long as nothing is queued. Commands
 * that came before that node was known are sent first.
 */
import type { Session } from '../client/session.ts';
import { RESP3, TRACKED } from '../topology/handshake.ts';
import type { Node } from '../topology/node.ts';
import { OwnConnection, whyNotOpened } from '../upstream/own-connection.ts';
import { ASKING } from '../upstream/refusal.ts';
import type { Upstream } from '../upstream/upstream.ts';
import { encodeCommand } from '../wire/encode.ts';
import { handOn, inFrontOf } from '../wire/reply-sink.ts';
import type { ReplySink, Request } from '../wire/request.ts';
import { FirstQueued } from './first-queued.ts';
import { isHeard } from './transaction-messages.ts';
import { LOST, MOVED_AWAY, UNKNOWN } from './transaction-replies.ts';

const MULTI = encodeCommand('MULTI');
/** Of commands without a key before the first that has one. */
const MAX_EARLY_BYTES = 1_048_576;

/** Where it goes. */
export interface Goal {
  readonly upstream: Upstream;
  readonly place: number;
}

/** Whose connection it is. */
interface Client {
  /** It was told that its keys are at another node by now. */
  movedAway(): void;
  /** It is gone; `isFirst`: nothing was queued, which is begun anew elsewhere. */
  lost(isFirst: boolean): void;
  /** Nobody queues anything of it. */
  gaveUp(): void;
}

export class TransactionConnection {
  readonly #session: Session;
  readonly #client: Client;
  /** undefined: there is none yet, or nobody to open it to. */
  own: OwnConnection | undefined;
  #isMulti = false;
  #isExec = false;
  /** Who subscribed when it was opened hears what is published over it. */
  isHeard = false;
  #kind = 0;
  #upstream: Upstream | undefined;
  #place = 0;
  /** Queued before the first key was seen. */
  #early: Buffer[] = [];
  #earlyBytes = 0;
  /** Not queued yet. */
  #first: FirstQueued | undefined;

  constructor(session: Session, client: Client) {
    this.#session = session;
    this.#client = client;
  }

  /** The client has said it. */
  multi(): void {
    this.#isMulti = true;
    // A watch has said already where the keys are.
    this.own?.send(null, MULTI);
  }

  get hasEarly(): boolean {
    return this.#early.length > 0;
  }

  /** False: it is too much. */
  keepEarly(bytes: Buffer, from: number, to: number): boolean {
    this.#earlyBytes += to - from;
    if (this.#earlyBytes > MAX_EARLY_BYTES) return false;
    this.#early.push(Buffer.from(bytes.subarray(from, to)));
    return true;
  }

  takeLastEarly(): Buffer | undefined {
    return this.#early.pop();
  }

  isTo({ upstream, place }: Goal): boolean {
    if (this.#upstream !== upstream) return false;
    if (this.#place === place || upstream.checksSlots) return this.#place === place;
    // Other servers came or went, and its keys stayed.
    return this.own !== undefined && upstream.primaryFor(place) === this.own.node;
  }

  /** HELLO or CLIENT TRACKING has come since it was opened: replies would be of the other protocol, or what is read not tracked. */
  get isOfOtherProtocol(): boolean {
    return this.own !== undefined && this.#kind !== this.#kindNow();
  }

  /** The plan leads nowhere over it any more. */
  get isOfFormerPlan(): boolean {
    return this.own !== undefined && !this.#session.home.routing.ways.includes(this.own.upstream);
  }

  /** What its keys were at when it was opened has others by now. */
  get isMoved(): boolean {
    const { own } = this;
    if (own === undefined || this.isOfFormerPlan) return own !== undefined;
    return !own.upstream.checksSlots && own.upstream.holderOf(this.#place) !== own.node;
  }

  /** Writes and reads alike go to the primary, which must not answer once it is one no longer. */
  #kindNow(): number {
    return this.#session.connectionKind() & (RESP3 | TRACKED);
  }

  /** Opens it, if there is somebody to open it to. */
  enter(goal: Goal): void {
    if (this.own !== undefined) return;
    const { upstream, place } = goal;
    this.#upstream = upstream;
    this.#place = place;
    const node = nodeFor(goal);
    if (node !== null) this.#open(upstream, node);
  }

  /** Why there is none. */
  whyNot(): Buffer {
    return whyNotOpened(this.#upstream, this.#place);
  }

  #open(upstream: Upstream, node: Node, isAsking = false): OwnConnection {
    this.#kind = this.#kindNow();
    const own = new OwnConnection(upstream, node, this.#kind);
    own.onError = (request, text) => {
      // ASKING is for one command, or for all from MULTI on.
      const isFollowed = this.#isMulti || !text.startsWith('ASK ');
      if (isFollowed && this.#first?.request === request && this.#first.refused(own, text)) return true;
      const [, word, slot] = /^(MOVED|ASK) (\d+)/.exec(text) ?? [];
      // A cluster speaks of the slot that all keys here are of; of another one only a script would, which was carried out.
      if (word === undefined || !upstream.checksSlots || Number(slot) !== this.#place) {
        // What Redis refuses to queue makes it refuse the EXEC by itself.
        return false;
      }
      upstream.noteDoubt();
      this.#client.movedAway();
      handOn(request.sink!, request, MOVED_AWAY);
      return true;
    };
    own.onUnanswered = (request, wasSent) => {
      if (this.#first?.request === request && this.#first.unanswered()) return true;
      if (this.#isMulti) handOn(request.sink!, request, wasSent && this.#isExec ? UNKNOWN : LOST);
      return this.#isMulti;
    };
    own.onLost = () => this.#client.lost(this.#first !== undefined);
    this.own = own;
    const { catchAll } = this.#session.home.routing;
    this.isHeard = catchAll !== null && isHeard(own, catchAll.upstream);
    // Within MULTI it would be queued; before it, it is for all of the transaction.
    if (isAsking) own.send(null, ASKING);
    if (this.#isMulti) own.send(null, MULTI);
    for (const early of this.#early) own.send(null, early);
    // Some may be scripts, which read what they like.
    own.connection.isRemembered ||= this.#early.length > 0;
    return own;
  }

  /** With the command that says where it goes, over `own`, which is open to there; `answered` instead of the client. */
  begin(
    own: OwnConnection,
    { upstream, place }: Goal,
    request: Request,
    bytes: Buffer,
    answered: ReplySink['deliver'],
  ): void {
    request.sink = inFrontOf(request.sink!, (queued, reply, start, end) => {
      this.#first = undefined;
      this.#early = [];
      answered(queued, reply, start, end);
    });
    request.place = place;
    request.terms = this.#session.home.routing.primaryTerms;
    this.#first = new FirstQueued(this.#session, upstream, request, bytes, {
      open: (node, isAsking) => this.#open(upstream, node, isAsking),
      giveUp: (why) => {
        this.#client.gaveUp();
        handOn(request.sink!, request, why);
      },
    });
    this.#first.send(own);
  }

  /** Whoever sends its last command gives it back. `isExec`: that carries it out. */
  letGo(isExec: boolean): OwnConnection | undefined {
    const { own } = this;
    this.own = undefined;
    this.#isExec = isExec;
    return own;
  }

  close(): void {
    this.own?.close();
  }
}

/** Who may be asked; null: nobody now. */
export function nodeFor({ upstream, place }: Goal): Node | null {
  return upstream.isFull ? null : upstream.primaryFor(place);
}
