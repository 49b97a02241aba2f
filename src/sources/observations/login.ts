/**
 * A password, presented to a server by hand rather than by ioredis' options: it writes to the console where a server wants none.
 */
import type { Redis } from 'ioredis';

import type { ModeQuestion } from '../../world/observation.ts';

/** As Redis 5 and later name it; the last is one to whom AUTH is unknown, whose words go on with those that it was given. */
const WANTS_NONE = /without any password configured|no password is set|^ERR unknown command/;

/** In the server's words, which have no password in them, why it does not let us in; undefined: it does, or wants none. */
export async function refusalOfLogin(
  client: Redis,
  credentials: ModeQuestion['credentials'],
): Promise<string | undefined> {
  if (credentials === undefined) return undefined;
  const { username, password } = credentials;
  try {
    await client.call('AUTH', username === undefined ? [password.bytes()] : [username, password.bytes()]);
    return undefined;
  } catch (error) {
    if (!(error instanceof Error) || !isReply(error)) throw error;
    return WANTS_NONE.test(error.message) ? undefined : error.message;
  }
}

/** Of the server; else the connection is at fault. */
export function isReply(error: Error): boolean {
  return error.name === 'ReplyError';
}
