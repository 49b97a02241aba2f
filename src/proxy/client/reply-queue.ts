/**
 * The commands of one client that are under way, and their replies in order: whoever answers first, they leave as they
 * were asked.
 *
 * Tight: every reply passes `take` (`npm run bench -- proxy`).
 */
import { copyBytes, giveBlock, takeBlockFor, type Block } from '../wire/block.ts';
import type { Output } from './output.ts';
import { QueuedMessages } from './queued-messages.ts';
import { finishRequest, giveRequest, nextGeneration, takeRequest, type Request } from '../wire/request.ts';

/** Of clients that have not asked anything yet. */
const NONE: Request[] = [];
/** So many a client keeps while nothing is under way. */
const KEPT = 16;

export class ReplyQueue {
  readonly #output: Output;
  /**
   * The oldest first; a ring of requests that stay with this client and are used again in turn: they lie side by side in
   * memory, and nothing is stored to queue one.
   */
  #ring: Request[] = NONE;
  #head = 0;
  #tail = 0;
  /** Since it was last set to false: everything that was asked at some one time is answered. */
  hasWhole = false;
  /** Where replies wait for those before them. */
  #stash: Block | null = null;
  /** null: none has come while replies were awaited. */
  #messages: QueuedMessages | null = null;

  constructor(output: Output) {
    this.#output = output;
  }

  get length(): number {
    return (this.#tail - this.#head) | 0;
  }

  get isEmpty(): boolean {
    return this.#head === this.#tail;
  }

  /** A request behind all others, to be filled in. */
  next(): Request {
    if (this.length === this.#ring.length) this.#resize(2 * this.#ring.length || 1);
    const request = this.#ring[this.#tail & (this.#ring.length - 1)]!;
    this.#tail = (this.#tail + 1) | 0;
    return request;
  }

  /** What is queued was asked together, up to here. */
  endBatch(): void {
    if (this.isEmpty) return;
    this.#ring[(this.#tail - 1) & (this.#ring.length - 1)]!.endsBatch = true;
  }

  /** Takes a request's reply; what is now complete from the oldest on goes to the output. True: something did. */
  take(request: Request, bytes: Uint8Array, start: number, end: number): boolean {
    const ring = this.#ring;
    const mask = ring.length - 1;
    let head = this.#head;
    if (ring[head & mask] !== request) {
      this.put(request, bytes, start, end);
      return false;
    }
    const output = this.#output;
    output.append(bytes, start, end);
    if (request.endsBatch) this.hasWhole = true;
    finishRequest(request);
    head = (head + 1) | 0;
    while (head !== this.#tail) {
      const next = ring[head & mask]!;
      if (!next.isDone) break;
      const block = next.block!;
      output.append(block.bytes, next.start, next.end);
      this.release(block);
      if (next.endsBatch) this.hasWhole = true;
      finishRequest(next);
      head = (head + 1) | 0;
    }
    this.#head = head;
    if (head === this.#tail) this.#rest();
    return true;
  }

  /** A reply that is known already, behind those that are still awaited. True: it went to the output. */
  add(reply: Uint8Array): boolean {
    if (this.isEmpty) {
      this.#output.append(reply, 0, reply.length);
      return true;
    }
    this.put(this.next(), reply, 0, reply.length);
    return false;
  }

  /** A message that nobody has asked for, behind the replies that are awaited, or ahead of them. True: it went to the output. */
  addMessage(message: Uint8Array, isAhead: boolean): boolean {
    if (isAhead || this.isEmpty) {
      this.#output.appendMessage(message);
      return true;
    }
    const messages = (this.#messages ??= new QueuedMessages());
    const last = this.#ring[(this.#tail - 1) & (this.#ring.length - 1)];
    if (messages.join(last, this.#stash, message)) return false;
    const request = this.next();
    this.put(request, message, 0, message.length);
    messages.note(request, message);
    return false;
  }

  /** How many bytes of such have come, at most, since none was waiting for replies, or for the client to read. */
  get messageBytes(): number {
    return this.#output.messageBytes + this.queuedMessageBytes;
  }

  /** Of those that wait for replies. */
  get queuedMessageBytes(): number {
    return this.#messages?.bytes ?? 0;
  }

  /** Whose reply has not come. */
  awaited(tell: (request: Request) => void): void {
    const mask = this.#ring.length - 1;
    for (let at = this.#head; at !== this.#tail; at = (at + 1) | 0) {
      const request = this.#ring[at & mask]!;
      if (!request.isDone) tell(request);
    }
  }

  /** Those that are still awaited get `reply` in their turn; whatever comes of them later is nobody's. */
  answerRest(reply: Uint8Array): void {
    const mask = this.#ring.length - 1;
    for (let at = this.#head; at !== this.#tail; at = (at + 1) | 0) {
      const request = this.#ring[at & mask]!;
      if (request.isDone) this.#output.append(request.block!.bytes, request.start, request.end);
      else this.#output.append(reply, 0, reply.length);
    }
    this.drop();
  }

  /** The client is gone. Requests whose reply is still awaited come back from where they are. */
  drop(): void {
    const ring = this.#ring;
    for (let index = 0; index < ring.length; index++) {
      const request = ring[(this.#head + index) & (ring.length - 1)]!;
      if (index < this.length && !request.isDone) continue;
      if (request.isDone) this.release(request.block!);
      giveRequest(request);
    }
    this.#ring = NONE;
    this.#head = 0;
    this.#tail = 0;
  }

  /** Keeps a reply until its turn. */
  put(request: Request, bytes: Uint8Array, start: number, end: number): void {
    const size = end - start;
    let stash = this.#stash;
    if (stash === null || stash.end + size > stash.bytes.length) {
      stash = takeBlockFor(bytes, start, end);
      this.#stash = stash;
    }
    copyBytes(bytes, start, end, stash.bytes, stash.end);
    // A second answer, where two nodes were asked, is nobody's.
    request.generation = nextGeneration(request.generation);
    request.isDone = true;
    request.block = stash;
    request.start = stash.end;
    request.end = stash.end + size;
    stash.end += size;
    stash.users += 1;
  }

  /** A kept reply is no longer needed. */
  release(block: Block): void {
    block.users -= 1;
    if (block.users > 0) return;
    if (block === this.#stash) this.#stash = null;
    giveBlock(block);
  }

  /** Nothing is under way: begins at the ring's begin again, which is in the cache, and gives back what a burst took. */
  #rest(): void {
    this.#head = 0;
    this.#tail = 0;
    if (this.#ring.length > KEPT) this.#resize(KEPT);
  }

  #resize(size: number): void {
    const before = this.#ring;
    const ring: Request[] = [];
    for (let index = 0; index < Math.max(size, before.length); index++) {
      const request = before[(this.#head + index) & (before.length - 1)];
      if (index < size) ring.push((index < before.length ? request : undefined) ?? takeRequest());
      else if (request !== undefined) giveRequest(request);
    }
    // Without the room for 16 more that push has made.
    this.#ring = ring.slice();
    this.#tail = this.length;
    this.#head = 0;
  }
}
