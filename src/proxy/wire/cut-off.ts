/**
 * Whose argument is longer than a node takes (`proto-max-bulk-len`, at least 1 MiB) is told so, and then the node closes the
 * connection, which others share: it has looked at nothing behind that command.
 *
 * An error alone would not do: scripts say what they like, and what is taken for unseen is sent again.
 */
import type { Request } from './request.ts';

const LEAST_LIMIT = 1_048_576;
const BEGIN = Buffer.from('-ERR Protocol error');

export function isCutOff(request: Request, bytes: Uint8Array, start: number): boolean {
  if (request.end - request.start < LEAST_LIMIT) return false;
  return BEGIN.every((byte, index) => bytes[start + index] === byte);
}
