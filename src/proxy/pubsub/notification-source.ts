/**
 * One primary that a client has keyspace notifications from: what it was asked for, and what it says.
 */
import type { OwnConnection } from '../upstream/own-connection.ts';
import { parseRefusal } from '../upstream/refusal.ts';
import { AwaitedConfirmations } from './awaited-confirmations.ts';
import { channelOf, encodeSubscription, firstWord } from './subscription-messages.ts';

const MINUS = 0x2d;

/** Until one that refused what is asked again with every connection gets the next one. */
const REFUSED_MS = 1_000;

export type Subscribing = 'subscribe' | 'psubscribe';

/** `Cause`: why it was asked, if not for one that was there before. */
export interface Hearer<Cause> {
  /** A message, of what its client has asked for by `name`. */
  heard(kind: Subscribing, name: string, bytes: Uint8Array, start: number, end: number): void;
  /** Nothing is unanswered. */
  answered(): void;
  /** False: its client takes itself for subscribed. */
  refused(cause: Cause, reply: Buffer): boolean;
  lost(): void;
}

export class NotificationSource<Cause> {
  readonly #own: OwnConnection;
  readonly #hearer: Hearer<Cause>;
  readonly #asked = new AwaitedConfirmations<{ readonly cause: Cause | undefined }>();

  constructor(own: OwnConnection, hearer: Hearer<Cause>) {
    this.#own = own;
    this.#hearer = hearer;
    own.connection.intercept = (bytes, start, end) => this.#take(bytes, start, end);
    own.onLost = () => hearer.lost();
  }

  get isAnswered(): boolean {
    return this.#asked.isEmpty;
  }

  /** `name`: of the command. */
  ask(name: string, names: readonly string[], cause?: Cause): void {
    if (names.length === 0) return;
    this.#asked.add({ cause }, names.length);
    this.#own.send(null, encodeSubscription(name, names));
  }

  close(): void {
    this.#own.close();
  }

  /** True: it is a reply that was waited for, the first one to its command. */
  #take(bytes: Uint8Array, start: number, end: number): boolean {
    const said = firstWord(bytes, start, end);
    if (said === 'message' || said === 'pmessage') {
      const kind = said === 'message' ? 'subscribe' : 'psubscribe';
      this.#hearer.heard(kind, channelOf(bytes, start, end), bytes, start, end);
      return false;
    }
    const asked = this.#asked.first;
    if (asked === undefined || (said === undefined && bytes[start] !== MINUS)) return said === undefined;
    const { isFirst } = this.#asked.take(said === undefined);
    if (said === undefined) this.#refused(asked.cause, bytes, start, end);
    if (this.isAnswered) this.#hearer.answered();
    return isFirst;
  }

  #refused(cause: Cause | undefined, bytes: Uint8Array, start: number, end: number): void {
    const { node, connection } = this.#own;
    const refusal = parseRefusal(bytes, start, end);
    if (refusal?.kind === 'unfit') {
      // Asked anew once it can be asked anything.
      node.update({ unfit: refusal.word });
      connection.destroy('it subscribes nobody now');
    } else if (cause === undefined || !this.#hearer.refused(cause, Buffer.from(bytes.subarray(start, end)))) {
      setTimeout(() => connection.destroy('it refused a subscription'), REFUSED_MS);
    }
  }
}
