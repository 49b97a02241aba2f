/**
 * Messages that nobody has asked for, among the replies that a client awaits. Those that follow each other wait as one piece of
 * memory: an object for each would weigh more than what it says.
 */
import { copyBytes, type Block } from '../wire/block.ts';
import type { Request } from '../wire/request.ts';

/** A place among the replies, as long as it is that. */
class Place {
  #request: Request | null = null;
  #generation = 0;

  is(request: Request | undefined): boolean {
    return request !== undefined && request === this.#request && request.generation === this.#generation;
  }

  get isLeft(): boolean {
    return this.#request?.generation !== this.#generation;
  }

  note(request: Request): void {
    this.#request = request;
    this.#generation = request.generation;
  }
}

export class QueuedMessages {
  readonly #first = new Place();
  readonly #last = new Place();
  #bytes = 0;

  /** How many may be waiting: those that came since the first of them did. */
  get bytes(): number {
    return this.#first.isLeft ? 0 : this.#bytes;
  }

  /** True: it stands with the message before it. `last`: what is queued last; `stash`: where replies are kept. */
  join(last: Request | undefined, stash: Block | null, message: Uint8Array): boolean {
    const size = message.length;
    if (!this.#last.is(last) || last!.block !== stash || last!.end !== stash?.end) return false;
    if (stash.end + size > stash.bytes.length) return false;
    copyBytes(message, 0, size, stash.bytes, stash.end);
    stash.end += size;
    last!.end += size;
    this.#bytes += size;
    return true;
  }

  /** It stands by itself. */
  note(request: Request, message: Uint8Array): void {
    if (this.#first.isLeft) {
      this.#first.note(request);
      this.#bytes = 0;
    }
    this.#bytes += message.length;
    this.#last.note(request);
  }
}
