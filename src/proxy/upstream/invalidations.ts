/**
 * Clients that keep what they read of an upstream, and what its servers say has changed of it.
 *
 * A server says so once for each connection over which a key was read, and clients share those: it is passed on to all of
 * them. They only drop what they have, so that too much does no harm, and nobody has to know who has read what.
 */
import type { PushHearer } from '../wire/connection-owner.ts';
import { flushClient, type Flushable } from '../wire/turn.ts';

/** How a push begins that says what has changed; the keys follow, or a null. */
export const INVALIDATE = Buffer.from('>2\r\n$10\r\ninvalidate\r\n');
const ARRAY = 0x2a;
const STRING = 0x24;
const MINUS = 0x2d;
const CR = 0x0d;
/** One that refused to track is not asked for so long. */
const REFUSED_MS = 10_000;
/** Whether they are still there. */
const ASK_MS = 1_000;

export interface Change {
  readonly of: Invalidations;
  /** null: whatever was read may have changed. */
  readonly keys: readonly Buffer[] | null;
  /** What is said to clients, by what they have in common. */
  readonly messages: Map<object, Buffer>;
}

export interface KeepingClient {
  changed(change: Change): void;
  /** What it has read nobody watches over. */
  untracked(): void;
}

interface Tracker {
  askTracked(): void;
  /** False: some are needed still. */
  closeTracked(): boolean;
}

export class Invalidations implements PushHearer, Flushable {
  readonly #clients = new Set<KeepingClient>();
  #refusal = { why: '', at: -Infinity };
  /** Of this turn: told together, a thousand changes cost each client what one costs. */
  #keys: Buffer[] = [];

  /** Since connections that nobody needs were last closed, all of them. */
  #wasHeard = false;
  #askedAt = 0;

  get isHeard(): boolean {
    return this.#clients.size > 0;
  }

  /** Why a server does not track, in its own words; undefined: none has said so of late. */
  get refusal(): string | undefined {
    const { why, at } = this.#refusal;
    return performance.now() - at < REFUSED_MS ? why : undefined;
  }

  add(client: KeepingClient): void {
    this.#wasHeard = true;
    this.#clients.add(client);
  }

  delete(client: KeepingClient): void {
    this.#clients.delete(client);
  }

  /** Several times a second. */
  tick(now: number, nodes: Iterable<Tracker>): void {
    const { isHeard } = this;
    if (!isHeard && !this.#wasHeard) return;
    if (isHeard && now - this.#askedAt < ASK_MS) return;
    this.#askedAt = now;
    this.#wasHeard = isHeard;
    for (const node of nodes) {
      if (isHeard) node.askTracked();
      else if (!node.closeTracked()) this.#wasHeard = true;
    }
  }

  pushed(bytes: Uint8Array, start: number, end: number): void {
    if (!this.isHeard || !isInvalidation(bytes, start, end)) return;
    const keys = keysOf(bytes, start + INVALIDATE.length);
    if (keys === null) return this.lost();
    if (this.#keys.length === 0) flushClient(this);
    for (const key of keys) this.#keys.push(key);
  }

  flush(): void {
    const keys = this.#keys;
    this.#keys = [];
    if (keys.length > 0) this.#tell(keys);
  }

  lost(): void {
    this.#keys = [];
    if (this.isHeard) this.#tell(null);
  }

  untracked(why: string): void {
    this.#refusal = { why, at: performance.now() };
    for (const client of this.#clients) client.untracked();
  }

  #tell(keys: readonly Buffer[] | null): void {
    const change = { of: this, keys, messages: new Map() };
    for (const client of this.#clients) client.changed(change);
  }
}

function isInvalidation(bytes: Uint8Array, start: number, end: number): boolean {
  if (end - start <= INVALIDATE.length) return false;
  for (let at = 0; at < INVALIDATE.length; at++) if (bytes[start + at] !== INVALIDATE[at]) return false;
  return true;
}

/** null: all of them; also of what no key can be, from which nobody could tell where the next one is. */
function keysOf(bytes: Uint8Array, start: number): readonly Buffer[] | null {
  if (bytes[start] !== ARRAY) return null;
  let at = start;
  /** The number behind a type's letter. */
  const length = (): number => {
    let value = 0;
    for (at += 1; bytes[at] !== CR; at++) value = 10 * value + bytes[at]! - 0x30;
    at += 2;
    return value;
  };
  const keys: Buffer[] = [];
  for (let left = bytes[at + 1] === MINUS ? 0 : length(); left > 0; left--) {
    if (bytes[at] !== STRING || bytes[at + 1] === MINUS) return null;
    const size = length();
    keys.push(Buffer.from(bytes.subarray(at, at + size)));
    at += size + 2;
  }
  return keys;
}
