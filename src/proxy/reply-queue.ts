/**
 * The commands of one client that are under way, and their replies in order: whoever answers first, they leave as they
 * were asked.
 *
 * Tight: every reply passes `take` (`npm run bench -- proxy`).
 */
import { copyBytes, giveBlock, takeBlock, type Block } from './block.ts';
import type { Output } from './output.ts';
import { giveRequest, takeRequest, type Request } from './request.ts';

/** Of clients that have not asked anything yet. */
const NONE: (Request | null)[] = [];

export class ReplyQueue {
  readonly #output: Output;
  /** The oldest first; a ring. */
  #ring: (Request | null)[] = NONE;
  #head = 0;
  #tail = 0;
  /** Where replies wait for those before them. */
  #stash: Block | null = null;

  constructor(output: Output) {
    this.#output = output;
  }

  get length(): number {
    return (this.#tail - this.#head) | 0;
  }

  get isEmpty(): boolean {
    return this.#head === this.#tail;
  }

  push(request: Request): void {
    if (this.length === this.#ring.length) this.#grow();
    this.#ring[this.#tail & (this.#ring.length - 1)] = request;
    this.#tail = (this.#tail + 1) | 0;
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
    giveRequest(request);
    head = (head + 1) | 0;
    while (head !== this.#tail) {
      const next = ring[head & mask]!;
      if (!next.isDone) break;
      const block = next.reply!;
      output.append(block.bytes, next.replyStart, next.replyEnd);
      this.release(block);
      giveRequest(next);
      head = (head + 1) | 0;
    }
    this.#head = head;
    return true;
  }

  /** A reply that is known already, behind those that are still awaited. True: it went to the output. */
  add(reply: Uint8Array): boolean {
    if (this.isEmpty) {
      this.#output.append(reply, 0, reply.length);
      return true;
    }
    const request = takeRequest();
    this.push(request);
    this.put(request, reply, 0, reply.length);
    return false;
  }

  /** The client is gone. Requests whose reply is still awaited come back from where they are. */
  drop(): void {
    for (; this.#head !== this.#tail; this.#head = (this.#head + 1) | 0) {
      const request = this.#ring[this.#head & (this.#ring.length - 1)]!;
      if (!request.isDone) continue;
      this.release(request.reply!);
      giveRequest(request);
    }
    this.#ring = [];
  }

  /** Keeps a reply until its turn. */
  put(request: Request, bytes: Uint8Array, start: number, end: number): void {
    const size = end - start;
    let stash = this.#stash;
    if (stash === null || stash.end + size > stash.bytes.length) {
      stash = takeBlock(size);
      this.#stash = stash;
    }
    copyBytes(bytes, start, end, stash.bytes, stash.end);
    request.isDone = true;
    request.reply = stash;
    request.replyStart = stash.end;
    request.replyEnd = stash.end + size;
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

  #grow(): void {
    const size = this.#ring.length;
    const larger: (Request | null)[] = Array.from({ length: Math.max(8, 2 * size) }, () => null);
    for (let index = this.#head; index !== this.#tail; index = (index + 1) | 0) {
      larger[index & (larger.length - 1)] = this.#ring[index & (size - 1)]!;
    }
    this.#ring = larger;
  }
}
