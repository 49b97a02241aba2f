/**
 * One node that a client has messages from: what it was asked for and has not confirmed yet, and what it says. Confirmations
 * answer a command, messages answer nothing.
 */
import type { Session } from '../client/session.ts';
import type { OwnConnection } from '../upstream/own-connection.ts';
import { LOGIN_AGAIN_MS } from '../topology/conversation.ts';
import { parseRefusal, type Refusal } from '../upstream/refusal.ts';
import { handOn } from '../wire/reply-sink.ts';
import type { Asked } from './asked-subscription.ts';
import { AwaitedConfirmations } from './awaited-confirmations.ts';
import {
  channelOf,
  confirm,
  encodeSubscription,
  firstWord,
  inProtocol,
  isOfAnother,
  withCount,
} from './subscription-messages.ts';

interface Waiting extends Asked {
  /** As they have come. */
  readonly confirmations: Buffer[];
}

export interface SourceHearer {
  /** Channels of which its client does not know yet that it is subscribed to them. */
  unconfirmed(): ReadonlySet<string> | undefined;
  /** A shard channel that its client may be subscribed to still, at whoever has it now. */
  takenAway(channel: string): void;
  /** Of shard channels; whoever asked has not been told. */
  refused(asked: Asked, refusal: Refusal, reply: Buffer): void;
  /** Its client is told the error, if it waits for it. */
  failed(asked: Asked): void;
}

export class MessageSource {
  readonly own: OwnConnection;
  readonly #session: Session;
  readonly #hearer: SourceHearer;
  readonly #waiting = new AwaitedConfirmations<Waiting>();

  constructor(own: OwnConnection, session: Session, hearer: SourceHearer) {
    this.own = own;
    this.#session = session;
    this.#hearer = hearer;
    own.connection.intercept = (bytes, start, end) => this.#take(bytes, start, end);
  }

  get isAnswered(): boolean {
    return this.#waiting.isEmpty;
  }

  isAskedFor(channel: string): boolean {
    return this.#waiting.some(({ named }) => named?.has(channel) === true);
  }

  ask(asked: Asked): void {
    this.#waiting.add({ ...asked, confirmations: [] }, asked.channels.length);
    this.own.send(null, encodeSubscription(asked.name, asked.channels));
  }

  /** What it has not confirmed, and will not. */
  giveUp(): readonly Asked[] {
    return this.#waiting.clear();
  }

  /** True: it is a reply that was waited for, the first one to its command. */
  #take(bytes: Uint8Array, start: number, end: number): boolean {
    const kind = firstWord(bytes, start, end);
    const waiting = this.#waiting.first;
    if (kind?.endsWith('message') === true) {
      this.#hear(bytes, start, end);
      return false;
    }
    if (kind === 'sunsubscribe') {
      const channel = channelOf(bytes, start, end);
      // Redis goes through them in order. Who looks for it among all of them takes seconds where there are many.
      const isAsked =
        waiting?.channels.length === 0 || waiting?.channels[waiting.confirmations.length] === channel;
      if (waiting?.name !== kind || !isAsked) {
        // The slot has gone to another node, and the server says so; the client need not know.
        this.#hearer.takenAway(channel);
        return false;
      }
    }
    const refusal = kind === undefined ? parseRefusal(bytes, start, end) : undefined;
    if (refusal !== undefined && isOfAnother(refusal, waiting?.channels[0])) return false;
    if (waiting === undefined) return kind === undefined;
    if (refusal !== undefined && (waiting.name === 'ssubscribe' || waiting.name === 'sunsubscribe')) {
      this.#waiting.take(true);
      this.#hearer.refused(waiting, refusal, Buffer.from(bytes.subarray(start, end)));
      return true;
    }
    if (refusal?.kind === 'unfit' && waiting.request === null) {
      // Its client takes itself for a subscriber: it is made one at whoever can be asked by then.
      this.own.node.update({ unfit: refusal.word });
      this.own.connection.destroy('it subscribes nobody now');
      return true;
    }
    return this.#answer(waiting, kind === undefined, bytes, start, end);
  }

  #hear(bytes: Uint8Array, start: number, end: number): void {
    const { protocol } = this.#session.local;
    const waiting = this.#waiting.first;
    // Not before the confirmation of its own channel, and not behind that of having left it.
    const isAhead = waiting === undefined || waiting.request === null || waiting.confirmations.length === 0;
    const isEarly = this.#hearer.unconfirmed()?.has(channelOf(bytes, start, end)) === true;
    this.#session.push(inProtocol(protocol, bytes, start, end), isAhead && !isEarly);
  }

  #answer(waiting: Waiting, isError: boolean, bytes: Uint8Array, start: number, end: number): boolean {
    const { channels, counts, confirmations, request } = waiting;
    const { protocol } = this.#session.local;
    if (isError) this.#hearer.failed(waiting);
    if (isError && request === null) this.#refusedAgain(bytes, start, end);
    const count = isError ? undefined : counts[confirmations.length];
    const told = withCount(inProtocol(protocol, bytes, start, end), count);
    // That there is none is a null, which is another one in either protocol.
    confirmations.push(isError || channels.length > 0 ? told : confirm(waiting, protocol));
    const { isFirst, isLast } = this.#waiting.take(isError);
    if (isLast && request !== null) handOn(request.sink!, request, Buffer.concat(confirmations));
    return isFirst;
  }

  /** Its client takes itself for a subscriber, and would wait for messages that do not come. */
  #refusedAgain(bytes: Uint8Array, start: number, end: number): void {
    const { connection } = this.own;
    const isLockedOut = Buffer.from(bytes.subarray(start, end)).toString('latin1').startsWith('-NOAUTH');
    // Of what we present to Redis it need not know, and of its own rights it shall.
    if (isLockedOut)
      setTimeout(() => connection.destroy('it does not let the proxy in'), LOGIN_AGAIN_MS).unref();
    else this.#session.end();
  }
}
