/**
 * Lines on their way to a file descriptor, beside what the process does.
 *
 * A log is not worth what it tells of: a reader who does not come, a disk that is full or a terminal that is gone cost
 * lines, never the process. (SonicBoom, which pino would take, ends it at the first write that fails, and on the way there
 * tries again for ever.)
 */
import { write, writeSync } from 'node:fs';

/** Lines that wait for a reader who does not come; those after them are dropped. */
const MOST_WAITING_BYTES = 8 * 1024 * 1024;

/** A pipe takes that much as a whole or not at all: of several workers none writes into another's line. */
const MOST_AT_ONCE_BYTES = 4_096;

/** The other end of a pipe may be one that does not wait, and is full. */
const RETRY_MS = 100;

const NOTHING = Buffer.alloc(0);

export class LogLines {
  readonly #fd: number;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #isWriting = false;

  constructor(fd: number) {
    this.#fd = fd;
    process.on('exit', () => this.#writeLast());
  }

  write(line: string): void {
    const bytes = Buffer.from(line);
    if (this.#waitingBytes + bytes.length > MOST_WAITING_BYTES) return;
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    if (!this.#isWriting) this.#writeNext();
  }

  #writeNext(): void {
    const bytes = this.#take();
    this.#isWriting = bytes.length > 0;
    if (this.#isWriting) this.#write(bytes);
  }

  #write(bytes: Buffer): void {
    write(this.#fd, bytes, (error, written) => {
      const rest = error === null ? bytes.subarray(written) : NOTHING;
      if (error?.code === 'EAGAIN') setTimeout(() => this.#write(bytes), RETRY_MS);
      else if (rest.length > 0) this.#write(rest);
      else this.#writeNext();
    });
  }

  /** Whole lines. */
  #take(): Buffer {
    let count = 0;
    let length = 0;
    for (const { length: next } of this.#waiting) {
      if (count > 0 && length + next > MOST_AT_ONCE_BYTES) break;
      count += 1;
      length += next;
    }
    this.#waitingBytes -= length;
    return Buffer.concat(this.#waiting.splice(0, count), length);
  }

  /** What an end without warning leaves; most ends wait for what is being written. */
  #writeLast(): void {
    try {
      if (this.#waiting.length > 0) writeSync(this.#fd, Buffer.concat(this.#waiting));
    } catch {
      // Nobody is there to be told.
    }
  }
}
