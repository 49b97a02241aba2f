/**
 * The names of Redis' and Valkey's commands, in lower case: to tell a misspelt one.
 */
import { COMMAND_LINES } from '../redis/command-data.ts';

export const COMMAND_NAMES: ReadonlySet<string> = new Set(
  COMMAND_LINES.trim()
    .split('\n')
    .map((line) => line.split(' ', 1)[0] ?? ''),
);
