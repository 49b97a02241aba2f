/**
 * How many files a process may have open, of which each client takes one.
 */
import { existsSync, readFileSync } from 'node:fs';

/** For everything else: connections to Redis, listeners, certificates, Node's own. */
const BESIDES = 100;

/** Linux' alone. */
const LIMITS = '/proc/self/limits';

/** Node has raised the limit as far as it may by then. */
export function openFilesWarning(
  maxClients: number,
  limits: string = existsSync(LIMITS) ? readFileSync(LIMITS, 'utf8') : '',
): string | undefined {
  const most = Number(/^Max open files +(\d+)/m.exec(limits)?.[1] ?? Infinity);
  if (most >= maxClients + BESIDES) return undefined;
  return `this process may have ${most} files open, and --max-clients ${maxClients} needs ${maxClients + BESIDES}: clients beyond are disconnected without a word; raise the limit (ulimit -Hn, systemd's LimitNOFILE), or lower --max-clients`;
}
