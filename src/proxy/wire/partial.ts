/**
 * The begin of a command or reply whose rest has not come: grows with what has come, and to no more than a multiple of that
 * by what was announced.
 */
const FIRST_BYTES = 512;

/** Each time all is copied, and the former is there until it is collected: as rarely as possible where the end is known. */
const MOST_GROWTH = 32;
/** Of a list of many strings the end of each is known, and nothing more. */
const LEAST_GROWTH = 1.25;

export class Partial {
  bytes: Buffer;
  length = 0;

  constructor() {
    this.bytes = Buffer.allocUnsafe(FIRST_BYTES);
  }

  /** `announced`: so long it will be at least. */
  append(from: Uint8Array, start: number, end: number, announced = 0): void {
    const size = this.length + end - start;
    const { length: room } = this.bytes;
    if (size > room) {
      const larger = Buffer.allocUnsafeSlow(Math.max(size, grown(room, announced)));
      larger.set(this.bytes.subarray(0, this.length));
      this.bytes = larger;
    }
    this.bytes.set(from.subarray(start, end), this.length);
    this.length = size;
  }
}

function grown(room: number, announced: number): number {
  if (announced <= LEAST_GROWTH * room) return 2 * room;
  // Then at least as much again is missing: never a little.
  return announced <= MOST_GROWTH * room ? announced : (MOST_GROWTH / 2) * room;
}

/** How much is taken over at least when it is not known how much is missing. */
export const STEP_BYTES = 64;
