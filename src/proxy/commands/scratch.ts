/**
 * A buffer in which something is put together before it is sent; used again for the next.
 */
import { copyBytes } from '../wire/block.ts';

const FIRST_BYTES = 65_536;
/** Larger ones are not kept. */
const KEPT_BYTES = 1_048_576;

export class Scratch {
  bytes = Buffer.allocUnsafeSlow(FIRST_BYTES);
  length = 0;

  clear(): void {
    this.length = 0;
    if (this.bytes.length > KEPT_BYTES) this.bytes = Buffer.allocUnsafeSlow(FIRST_BYTES);
  }

  /** Latin-1. */
  text(text: string): void {
    this.#reserve(text.length);
    const bytes = this.bytes;
    let at = this.length;
    for (let index = 0; index < text.length; index++) bytes[at++] = text.charCodeAt(index);
    this.length = at;
  }

  append(from: Uint8Array, start: number, end: number): void {
    const size = end - start;
    this.#reserve(size);
    copyBytes(from, start, end, this.bytes, this.length);
    this.length += size;
  }

  #reserve(size: number): void {
    if (this.length + size <= this.bytes.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(this.length + size, 2 * this.bytes.length));
    larger.set(this.bytes.subarray(0, this.length));
    this.bytes = larger;
  }
}
