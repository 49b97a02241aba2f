/**
 * How many files a process may have open, of which each client takes one.
 */
import { existsSync, readFileSync } from 'node:fs';

/** For everything else: connections to Redis, listeners, certificates, Node's own. */
const BESIDES = 100;

/** Linux' alone. */
const LIMITS = '/proc/self/limits';

export interface RoomForClients {
  readonly maxClients: number;
  /** Of them in one process: others may have ended, and left their clients to it. */
  readonly maxOwnClients: number;
  readonly warning: string | undefined;
}

/**
 * As many as asked for, or as leave enough for all else: clients that had every file would leave none for Redis, and nobody
 * would be served. Node has raised the limit as far as it may by then.
 */
export function roomForClients(
  asked: number,
  workers: number,
  limits: string = existsSync(LIMITS) ? readFileSync(LIMITS, 'utf8') : '',
): RoomForClients {
  const most = Number(/^Max open files +(\d+)/m.exec(limits)?.[1] ?? Infinity);
  const maxOwnClients = Math.max(most - BESIDES, Math.floor(most / 2));
  const room = workers * maxOwnClients;
  if (room >= asked) return { maxClients: asked, maxOwnClients, warning: undefined };
  const whose = workers === 1 ? 'this process' : `each of ${workers} workers`;
  const needed = Math.ceil(asked / workers) + BESIDES;
  const warning = `${whose} may have ${most} files open, and --max-clients ${asked} needs ${needed}: ${room} clients are let in at most; raise the limit (ulimit -Hn, systemd's LimitNOFILE), or lower --max-clients`;
  return { maxClients: room, maxOwnClients, warning };
}
