/**
 * A part of MGET, MSET, DEL, EXISTS, TOUCH or UNLINK: the same command with fewer keys.
 */
import type { Command } from '../../redis/command-table.ts';
import type { Scratch } from './scratch.ts';

/** How many arguments a key takes, with what belongs to it. */
export function stepOf({ name }: Command): number {
  return name === 'mset' ? 2 : 1;
}

export function beginPart(scratch: Scratch, command: Command, keys: number): void {
  const { name } = command;
  scratch.clear();
  scratch.text(`*${1 + keys * stepOf(command)}\r\n$${name.length}\r\n${name}\r\n`);
}

/** The key of that number, the first is 0, without its first `cut` bytes, and the value behind it where there is one. */
export function addKey(
  scratch: Scratch,
  bytes: Buffer,
  offsets: Int32Array,
  step: number,
  key: number,
  cut: number,
): void {
  const argument = 2 * (1 + key * step);
  if (cut > 0) {
    scratch.text(`$${offsets[argument + 1]! - offsets[argument]! - cut}\r\n`);
    scratch.append(bytes, offsets[argument]! + cut, offsets[argument + 1]! + 2);
  } else {
    scratch.append(bytes, offsets[argument - 1]! + 2, offsets[argument + 1]! + 2);
  }
  if (step === 2) scratch.append(bytes, offsets[argument + 1]! + 2, offsets[argument + 3]! + 2);
}
