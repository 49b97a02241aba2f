/**
 * The log: JSON lines on stderr; readable ones on a terminal.
 */
import { pino, type Logger } from 'pino';
import pretty from 'pino-pretty';

export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'silent'] as const;

/** Lines that wait for a reader who does not come; those after them are dropped. */
const MOST_WAITING_BYTES = 8 * 1024 * 1024;

/**
 * `apart`: lines are written beside what the process does, and the last of them before it ends. A line for each of a
 * thousand connections is a fifth of what accepting them takes where somebody reads along, and whoever reads no more would
 * hold up everything.
 */
export function createLog(level: string, writing: 'at once' | 'apart' = 'at once'): Logger {
  const { stderr } = process;
  if (!stderr.isTTY) {
    const how = writing === 'apart' ? { sync: false, maxLength: MOST_WAITING_BYTES } : { sync: true };
    return pino({ level }, pino.destination({ dest: 2, ...how }));
  }
  const colorize = (process.env['NO_COLOR'] ?? '') === '' && process.env['TERM'] !== 'dumb';
  return pino({ level }, pretty({ destination: 2, sync: true, colorize, ignore: 'pid,hostname' }));
}
