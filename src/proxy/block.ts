/**
 * Blocks: memory for bytes that must stay until they are no longer needed, taken from a pool and given back.
 *
 * A block is filled from its begin to its end and counts what still needs it: commands that wait for their reply (so
 * that they can be sent again), or replies that wait for their turn. Nothing is copied twice, nothing is allocated per
 * command.
 */
const BLOCK_BYTES = 65_536;

/** More than that is given back to the garbage collector. */
const POOLED = 64;

export class Block {
  readonly bytes: Buffer;
  /** Behind the last byte in use. */
  end = 0;
  /** How many still need something in it. */
  users = 0;

  constructor(size: number) {
    this.bytes = Buffer.allocUnsafeSlow(size);
  }
}

const pool: Block[] = [];

/** A block with room for `size` bytes. */
export function takeBlock(size: number): Block {
  if (size > BLOCK_BYTES) return new Block(size);
  return pool.pop() ?? new Block(BLOCK_BYTES);
}

export function giveBlock(block: Block): void {
  block.end = 0;
  block.users = 0;
  if (block.bytes.length === BLOCK_BYTES && pool.length < POOLED) pool.push(block);
}

/** Below this a loop is faster than the call of a native copy. */
const LOOP_BYTES = 48;

export function copyBytes(from: Uint8Array, start: number, end: number, to: Uint8Array, at: number): void {
  if (end - start > LOOP_BYTES) {
    to.set(from.subarray(start, end), at);
    return;
  }
  let place = at;
  for (let index = start; index < end; index++) to[place++] = from[index]!;
}
