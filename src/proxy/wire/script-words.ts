/**
 * Whose word an error reply may be: a script can say what it likes, also what only Redis itself would mean.
 */
import { findCommand } from '../../redis/command-table.ts';
import { frameOf } from '../../redis/request-frame.ts';
import type { Request } from './request.ts';

const RUN_SCRIPTS = new Set(['eval', 'evalsha', 'eval_ro', 'evalsha_ro', 'fcall', 'fcall_ro']);

/** Read from the command's bytes: it is asked for errors only. */
export function runsScript({ block, start, end }: Request): boolean {
  const { bytes } = block!;
  const { offsets } = frameOf(bytes, start, end);
  const name = findCommand(bytes, offsets[0]!, offsets[1]!)?.name;
  return name !== undefined && RUN_SCRIPTS.has(name);
}
