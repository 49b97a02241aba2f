/**
 * The log: JSON lines on stderr; readable ones on a terminal.
 */
import { pino, type Logger } from 'pino';
import { prettyFactory } from 'pino-pretty';

import { LogLines } from './log-lines.ts';

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

export function createLog(level: string): Logger {
  const lines = new LogLines(2);
  if (!process.stderr.isTTY) return pino({ level }, lines);
  const colorize = (process.env['NO_COLOR'] ?? '') === '' && process.env['TERM'] !== 'dumb';
  const readable = prettyFactory({ colorize, ignore: 'pid,hostname' });
  return pino({ level }, { write: (line: string) => lines.write(readable(line)) });
}
