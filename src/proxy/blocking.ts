/**
 * Commands that may wait (BLPOP, XREAD BLOCK, WAIT): on a connection of the client's own, so that nobody waits with it.
 * As in Redis, the client's next commands are looked at only when it has its reply.
 */
import type { Command } from '../redis/command-table.ts';
import type { RequestFrame } from '../redis/request-frame.ts';
import { REPLIES } from './encode.ts';
import { locate, wordAt } from './locate.ts';
import { closeAfterReply, openOwn } from './own-connection.ts';
import type { Session } from './session.ts';

/** False: it does not wait, and is a command like any other. */
export function mayWait(bytes: Buffer, frame: RequestFrame, command: Command): boolean {
  if (command.name !== 'xread' && command.name !== 'xreadgroup') return true;
  const word = wordAt(bytes, frame);
  for (let index = 1; index < frame.count; index++) {
    const text = word(index).toUpperCase();
    if (text === 'BLOCK') return true;
    if (text === 'STREAMS') return false;
  }
  return false;
}

export function sendBlocking(session: Session, bytes: Buffer, frame: RequestFrame, command: Command): void {
  const location = locate(session.home.routing, bytes, frame, command, command.isRead);
  if (location.kind === 'refused') return session.answer(location.reply);
  const upstream = location.kind === 'keyed' ? location.upstream : session.home.routing.catchAll?.upstream;
  if (upstream === undefined) return session.answer(REPLIES.noUpstreamHost);
  const message =
    location.kind === 'keyed'
      ? location.bytes.subarray(location.from, location.to)
      : bytes.subarray(frame.start, frame.at);
  // The buffer is used again before it is sent.
  const kept = Buffer.from(message);
  const request = session.newRequest(command);
  request.place = location.kind === 'keyed' ? location.place : upstream.anyPlace();
  const free = session.hold();
  openOwn(upstream, request, (own) => {
    // Nor for somebody who may have gone.
    if (own === undefined || session.isEnding || session.isGone) {
      own?.close();
      free();
      const reply = upstream.isFull ? REPLIES.tooManyConnections : REPLIES.noUpstreamHost;
      request.sink!.deliver(request, reply, 0, reply.length);
      return;
    }
    own.mayBlock = true;
    closeAfterReply(session, request, own, free);
    own.send(request, kept);
  });
}
