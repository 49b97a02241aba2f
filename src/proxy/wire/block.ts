/**
 * Blocks: memory for bytes that must stay until they are no longer needed, taken from a pool and given back.
 *
 * A block is filled from its begin to its end and counts what still needs it: commands that wait for their reply (so
 * that they can be sent again), or replies that wait for their turn. Nothing is copied twice, nothing is allocated per
 * command.
 */
import { takesOver } from './offered.ts';

/** For what is short: many clients have one at a time. */
const SMALL_BYTES = 16_384;
/** For longer pieces, so that several still leave as one write. */
const LARGE_BYTES = 65_536;
const SHORT = 1_024;

/** More than that is given back to the garbage collector. */
const POOLED = 512;

export class Block {
  readonly bytes: Buffer;
  /** Behind the last byte in use. */
  end = 0;
  /** How many still need something in it. */
  users = 0;

  #filled: Uint8Array;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
    this.#filled = bytes;
  }

  /** Made for one piece. */
  get isLong(): boolean {
    return this.bytes.length > LARGE_BYTES;
  }

  /** What is in use, whole. Replies of one length follow each other: a view made before serves nearly always. */
  get filled(): Uint8Array {
    if (this.#filled.length !== this.end) this.#filled = this.bytes.subarray(0, this.end);
    return this.#filled;
  }
}

const small: Block[] = [];
const large: Block[] = [];

/** A block with room for `size` bytes. */
export function takeBlock(size: number): Block {
  if (size <= SHORT) return small.pop() ?? newBlock(SMALL_BYTES);
  if (size <= LARGE_BYTES) return large.pop() ?? newBlock(LARGE_BYTES);
  return newBlock(size);
}

/** The same for `bytes[start, end)`, which is copied to its begin next; a long reply may lie in it already. */
export function takeBlockFor(bytes: Uint8Array, start: number, end: number): Block {
  const size = end - start;
  return size > LARGE_BYTES && bytes instanceof Buffer && takesOver(bytes, start)
    ? new Block(bytes)
    : takeBlock(size);
}

export function newBlock(size: number): Block {
  return new Block(Buffer.allocUnsafeSlow(size));
}

export function giveBlock(block: Block): void {
  block.end = 0;
  block.users = 0;
  const { length } = block.bytes;
  if (length === SMALL_BYTES && small.length < POOLED) small.push(block);
  else if (length === LARGE_BYTES && large.length < POOLED) large.push(block);
}

/** Below this a loop is faster than the call of a native copy. */
const LOOP_BYTES = 48;

export function copyBytes(from: Uint8Array, start: number, end: number, to: Uint8Array, at: number): void {
  if (end - start > LOOP_BYTES) {
    // As it was taken over.
    if (from === to && start === at) return;
    to.set(from.subarray(start, end), at);
    return;
  }
  let place = at;
  for (let index = start; index < end; index++) to[place++] = from[index]!;
}

/** `unsent`: the blocks that a socket was not given as a whole, of whose first it has the bytes before `writtenTo`. */
export function wasWritten(
  { block, start }: { readonly block: Block | null; readonly start: number },
  unsent: readonly Block[],
  writtenTo: number,
): boolean {
  return block === null || !unsent.includes(block) || (block === unsent[0] && start < writtenTo);
}
