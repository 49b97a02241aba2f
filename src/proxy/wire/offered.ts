/**
 * A reply that came in pieces has memory of its own: whoever keeps it takes that, which would be given up otherwise, in the
 * place of a copy. Of a value of 200 MB each copy costs as much time as all else.
 */
let offered: Uint8Array | null = null;

/** Until it is called again: with null, once it is handed on. */
export function offer(bytes: Uint8Array | null): void {
  offered = bytes;
}

/** True: from now on `bytes`, from `start` on, is the caller's alone. */
export function takesOver(bytes: Uint8Array, start: number): boolean {
  if (bytes !== offered || start > 0) return false;
  offered = null;
  return true;
}

/** What stays when `bytes` is used again. */
export function keptBytes(bytes: Uint8Array, start: number, end: number): Buffer {
  const own = bytes.subarray(start, end);
  return takesOver(bytes, start) ? Buffer.from(own.buffer, own.byteOffset, own.length) : Buffer.from(own);
}
