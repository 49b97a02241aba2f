/**
 * The log: JSON lines on stderr; readable ones on a terminal.
 */
import { pino, type Logger } from 'pino';
import pretty from 'pino-pretty';

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;

export function createLog(level: string): Logger {
  const { stderr } = process;
  if (!stderr.isTTY) return pino({ level }, pino.destination({ dest: 2, sync: true }));
  const colorize = process.env['NO_COLOR'] === undefined || process.env['NO_COLOR'] === '';
  return pino({ level }, pretty({ destination: 2, sync: true, colorize, ignore: 'pid,hostname' }));
}
