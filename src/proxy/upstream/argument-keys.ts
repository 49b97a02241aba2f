/**
 * The keys of a command that was understood before, and whose bytes alone are left.
 */
import { KIND, findCommand, type Command } from '../../redis/command-table.ts';
import { keyArguments } from '../../redis/keys.ts';
import { frameOf, wordAt } from '../../redis/request-frame.ts';

/** Of `bytes[start, end)`, each character a byte; undefined: it has none, or only its server knows. */
export function argumentsThatAreKeys(
  bytes: Buffer,
  start: number,
  end: number,
): readonly string[] | undefined {
  const { keys = [] } = understand(bytes, start, end);
  return keys.length === 0 ? undefined : keys;
}

/** What any server may carry out; undefined: it has keys, or concerns a certain server. */
export function commandForAny(bytes: Buffer, start: number, end: number): Command | undefined {
  const { command, keys } = understand(bytes, start, end);
  if (command?.kind !== KIND.keyless && command?.kind !== KIND.movable) return undefined;
  return keys?.length === 0 ? command : undefined;
}

function understand(
  bytes: Buffer,
  start: number,
  end: number,
): { readonly command?: Command; readonly keys?: readonly string[] } {
  const frame = frameOf(bytes, start, end);
  const command = findCommand(bytes, frame.offsets[0]!, frame.offsets[1]!);
  if (command === undefined) return {};
  const word = wordAt(bytes, frame);
  return { command, keys: keyArguments(command.keys, frame.count, word).map(word) };
}
