/**
 * What is to be written to one client: replies one behind the other, written together at the end of the turn.
 *
 * Memory is borrowed from the pool only while something is waiting, so that ten thousand idle clients have none.
 */
import { copyBytes, giveBlock, takeBlockFor, type Block } from '../wire/block.ts';
import type { SocketWriter } from '../wire/socket-writer.ts';

export class Output {
  #block: Block | null = null;
  /** Full ones before it. */
  #full: Block[] | null = null;
  #fullBytes = 0;
  /** Of messages that nobody has asked for: of those that wait here, and of those that the kernel did not take at once. */
  #messagesHere = 0;
  #messagesBehind = 0;

  get isEmpty(): boolean {
    return this.#block === null;
  }

  /** How many bytes. */
  get length(): number {
    return this.#block === null ? 0 : this.#fullBytes + this.#block.end;
  }

  /** Of messages that nobody has asked for, and that the kernel has not taken. */
  get messageBytes(): number {
    return this.#messagesHere + this.#messagesBehind;
  }

  /** Some reply fills a block of its own. */
  get hasLong(): boolean {
    return this.#block?.isLong === true || this.#full?.some(({ isLong }) => isLong) === true;
  }

  append(bytes: Uint8Array, start: number, end: number): void {
    const size = end - start;
    let block = this.#block;
    if (block === null) {
      block = takeBlockFor(bytes, start, end);
      this.#block = block;
    } else if (block.end + size > block.bytes.length) {
      (this.#full ??= []).push(block);
      this.#fullBytes += block.end;
      block = takeBlockFor(bytes, start, end);
      this.#block = block;
    }
    copyBytes(bytes, start, end, block.bytes, block.end);
    block.end += size;
  }

  appendMessage(message: Uint8Array): void {
    this.#messagesHere += message.length;
    this.append(message, 0, message.length);
  }

  /** Once what was flushed before is taken. */
  flush(writer: SocketWriter): void {
    const block = this.#block;
    this.#block = null;
    if (this.#full !== null) {
      for (const full of this.#full) write(full, writer);
      this.#full = null;
      this.#fullBytes = 0;
    }
    if (block !== null) write(block, writer);
    this.#messagesBehind = writer.isBehind ? this.#messagesHere : 0;
    this.#messagesHere = 0;
  }

  drop(): void {
    this.#block = null;
    this.#full = null;
    this.#fullBytes = 0;
  }
}

function write(block: Block, writer: SocketWriter): void {
  const bytes = block.filled;
  const isMostlyEmpty = 2 * bytes.length < block.bytes.length;
  if (writer.isEncrypting || (isMostlyEmpty && writer.waiting > 0)) {
    // It is kept for a while: a copy of just that costs less than a block that does not come back.
    writer.write(Buffer.from(bytes));
    giveBlock(block);
  } else if (writer.write(bytes)) {
    giveBlock(block);
  }
}
