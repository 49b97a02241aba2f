/**
 * The keys of a command that was understood before, and whose bytes alone are left.
 */
import { findCommand } from '../redis/command-table.ts';
import { keyArguments } from '../redis/keys.ts';
import { REQUEST_LIMITS, RequestFrame, wordAt } from '../redis/request-frame.ts';

/** Of `bytes[start, end)`, each character a byte; undefined: it has none, or only its server knows. */
export function argumentsThatAreKeys(
  bytes: Buffer,
  start: number,
  end: number,
): readonly string[] | undefined {
  const frame = new RequestFrame();
  frame.begin(start);
  frame.parse(bytes, end, REQUEST_LIMITS);
  const command = findCommand(bytes, frame.offsets[0]!, frame.offsets[1]!);
  if (command === undefined) return undefined;
  const word = wordAt(bytes, frame);
  const keys = keyArguments(command.keys, frame.count, word).map(word);
  return keys.length === 0 ? undefined : keys;
}
