/**
 * CLIENT TRACKING of one client: it keeps what it reads, and is told by whom it reads of that it may have changed.
 *
 * Whatever is said comes to it behind the replies to all that it has asked so far: a value that was on its way would be kept
 * after it had been said to be old.
 */
import {
  INVALIDATE,
  type Change,
  type Invalidations,
  type KeepingClient,
} from '../upstream/invalidations.ts';
import { encodeBulk, encodeList } from '../wire/encode.ts';
import { keptNames } from './kept-names.ts';
import type { Routing } from './routing.ts';
import { ToldAgain } from './told-again.ts';

const NOTHING = Buffer.alloc(0);
const EVERYTHING = Buffer.concat([INVALIDATE, Buffer.from('_\r\n')]);
/** Of what has changed, waiting for the client: more is told as everything, once. */
const MOST_WAITING_BYTES = 131_072;

/** As the client has asked for it. What it reads is tracked nevertheless, and what it writes itself told. */
export interface TrackingOptions {
  readonly mode: 'all' | 'optin' | 'optout';
  readonly isNoLoop: boolean;
}

interface Client {
  readonly home: { readonly routing: Routing };
  readonly replies: { readonly messageBytes: number };
  hasAsked: boolean;
  pushBehind(message: Uint8Array): boolean;
  destroy(): void;
}

export class Tracking implements KeepingClient {
  readonly #client: Client;
  options: TrackingOptions;
  /** By which it has heard so far. */
  #routing: Routing;
  #sources: ReadonlySet<Invalidations> = new Set();
  readonly #again: ToldAgain;

  constructor(client: Client, options: TrackingOptions) {
    this.#client = client;
    this.#routing = client.home.routing;
    this.options = options;
    this.#again = new ToldAgain(client, EVERYTHING);
    this.#follow();
  }

  /** What it has read may be at others by now, of which it has not heard. */
  rerouted(): void {
    if (this.#client.home.routing.leadsLike(this.#routing)) return;
    this.#follow();
    this.forget();
  }

  /** Who has asked nothing since has nothing. */
  forget(): void {
    if (!this.#client.hasAsked) return;
    this.#client.hasAsked = !this.#client.pushBehind(EVERYTHING);
    this.#again.everything();
  }

  changed(change: Change): void {
    if (!this.#client.hasAsked) return;
    const { routing } = this.#client.home;
    let message = change.messages.get(routing);
    if (message === undefined) {
      message = messageOf(change, routing);
      change.messages.set(routing, message);
    }
    const waiting = this.#client.replies.messageBytes + message.length;
    if (message === EVERYTHING || waiting > MOST_WAITING_BYTES) return this.forget();
    if (message.length === 0) return;
    this.#client.pushBehind(message);
    this.#again.keys(message);
  }

  untracked(): void {
    this.#client.destroy();
  }

  close(): void {
    this.#again.close();
    this.#leave();
  }

  #leave(): void {
    for (const source of this.#sources) source.delete(this);
    this.#sources = new Set();
  }

  #follow(): void {
    this.#leave();
    this.#routing = this.#client.home.routing;
    this.#sources = new Set(this.#routing.ways.map(({ invalidations }) => invalidations));
    for (const source of this.#sources) source.add(this);
  }
}

function messageOf({ of, keys }: Change, routing: Routing): Buffer {
  const names = keys === null ? null : keptNames(routing, of, keys);
  if (names === null) return EVERYTHING;
  return names.length === 0 ? NOTHING : Buffer.concat([INVALIDATE, encodeList(names.map(encodeBulk))]);
}
