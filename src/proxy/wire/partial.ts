/**
 * The begin of a command or reply whose rest has not come: grows with what has come, never by what was announced.
 */
const FIRST_BYTES = 512;

export class Partial {
  bytes: Buffer;
  length = 0;

  constructor() {
    this.bytes = Buffer.allocUnsafe(FIRST_BYTES);
  }

  append(from: Uint8Array, start: number, end: number): void {
    const size = this.length + end - start;
    if (size > this.bytes.length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(size, 2 * this.bytes.length));
      larger.set(this.bytes.subarray(0, this.length));
      this.bytes = larger;
    }
    this.bytes.set(from.subarray(start, end), this.length);
    this.length = size;
  }
}

/** How much is taken over at least when it is not known how much is missing. */
export const STEP_BYTES = 64;
