/**
 * A command's bytes in a block of their own: those of a connection are used again once it has answered.
 */
import { copyBytes, newBlock } from './block.ts';
import type { Request } from './request.ts';

/** A node that has answered uses its block again: the command gets bytes of its own, for when the other one is lost. */
export function keepBytes(request: Request): true {
  giveOwnBytes(request, request.block!.bytes, request.start, request.end);
  return true;
}

export function giveOwnBytes(request: Request, bytes: Uint8Array, start: number, end: number): void {
  const own = newBlock(end - start);
  copyBytes(bytes, start, end, own.bytes, 0);
  request.block = own;
  request.start = 0;
  request.end = end - start;
}
