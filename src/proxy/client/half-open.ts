/**
 * Connections of which one direction has ended: who takes nothing of what is left any more, or does not end the other, is
 * put out.
 */
import type { Socket } from 'node:net';

import type { SocketWriter } from '../wire/socket-writer.ts';

/** Without any of its replies taken. */
const LIMIT_MS = 30_000;
const STEP_MS = 1_000;

export function limitHalfOpen(socket: Socket, writer: SocketWriter, putOut: () => void): void {
  let { taken } = writer;
  let idleMs = 0;
  const limit = setInterval(() => {
    const before = taken;
    taken = writer.taken;
    idleMs = taken === before ? idleMs + STEP_MS : 0;
    if (idleMs >= LIMIT_MS) putOut();
  }, STEP_MS);
  socket.once('close', () => clearInterval(limit));
}
