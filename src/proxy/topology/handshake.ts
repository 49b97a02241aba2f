/**
 * Kinds of connections to a node, and what each says first: one of a kind serves all clients that need just that.
 */
import type { Credentials } from '../../plan/routing-plan.ts';
import { encodeCommand } from '../wire/encode.ts';

/** RESP3, READONLY, long replies, and that the node tells what has changed of what was read. */
export const RESP3 = 1;
export const READONLY = 2;
export const BULKY = 4;
export const TRACKED = 8;
export const KINDS = 16;

export const SAY_READONLY = encodeCommand('READONLY');
const SAY_TRACKING = encodeCommand('CLIENT', 'TRACKING', 'ON');

interface Greeted {
  readonly credentials: Credentials | undefined;
  /** Whether it knows READONLY. */
  readonly isClusterNode: boolean;
}

/** Whole commands. That of a tracked one is the last: whoever sees it refused knows it by that. */
export function handshakeOf(kind: number, { credentials, isClusterNode }: Greeted): readonly Buffer[] {
  const login =
    credentials === undefined ? [] : [credentials.username ?? 'default', credentials.password.bytes()];
  const commands: Buffer[] = [];
  if ((kind & RESP3) !== 0) {
    commands.push(encodeCommand('HELLO', '3', ...(login.length === 0 ? [] : ['AUTH', ...login])));
  } else if (login.length > 0) {
    // With one argument as every version knows it.
    commands.push(encodeCommand('AUTH', ...(credentials?.username === undefined ? login.slice(1) : login)));
  }
  if (isClusterNode && (kind & READONLY) !== 0) commands.push(SAY_READONLY);
  if ((kind & TRACKED) !== 0) commands.push(SAY_TRACKING);
  return commands;
}
