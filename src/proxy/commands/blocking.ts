/**
 * Commands that may wait (BLPOP, XREAD BLOCK, WAIT): on a connection of the client's own, so that nobody waits with it.
 * As in Redis, the client's next commands are looked at only when it has its reply.
 */
import type { Command } from '../../redis/command-table.ts';
import { frameOf, wordAt, type RequestFrame } from '../../redis/request-frame.ts';
import { toAllPrimaries } from './all-primaries.ts';
import { copyOnceAnswered } from './blocking-copies.ts';
import { REPLIES, encodeCommand } from '../wire/encode.ts';
import { MergedReply, least } from '../wire/merged-reply.ts';
import { locate, type Located } from '../client/locate.ts';
import type { Session } from '../client/session.ts';
import { argumentOfBlock } from './time-limit.ts';
import { WaitingCommand, type Goal } from './waiting-command.ts';

const PING = encodeCommand('PING');

interface Sought extends Goal {
  readonly located: Located | undefined;
}

/** False: it does not wait, and is a command like any other. */
export function mayWait(bytes: Buffer, frame: RequestFrame, command: Command): boolean {
  if (command.name !== 'xread' && command.name !== 'xreadgroup') return true;
  return argumentOfBlock(frame.count, wordAt(bytes, frame)) !== undefined;
}

export function sendBlocking(session: Session, bytes: Buffer, frame: RequestFrame, command: Command): void {
  if (command.name === 'wait' || command.name === 'waitaof') return sendWait(session, bytes, frame, command);
  // The buffer is used again before it is sent.
  const kept = Buffer.from(bytes.subarray(frame.start, frame.at));
  const search = (): Sought | Buffer => sought(session, kept, command);
  const goal = search();
  if (Buffer.isBuffer(goal)) return session.answer(command, goal);
  const request = session.newRequest(command);
  if (goal.located !== undefined) copyOnceAnswered(session, request, command, goal.located);
  new WaitingCommand(session, request, { goal, search }, session.hold()).open();
}

/** By the routing of now; a Buffer: why there is none. */
function sought(session: Session, bytes: Buffer, command: Command): Sought | Buffer {
  const { routing } = session.home;
  const location = locate(routing, bytes, frameOf(bytes), command, command.isRead);
  if (location.kind === 'refused') return location.reply;
  if (location.kind === 'keyed') {
    const { upstream, place } = location;
    const message = location.bytes.subarray(location.from, location.to);
    return { upstream, place, message, located: location };
  }
  const upstream = routing.catchAll?.upstream;
  if (upstream === undefined) return REPLIES.noUpstreamHost;
  return { upstream, place: upstream.anyPlace(), message: bytes, located: undefined };
}

/** For what this client has written so far, wherever that was: every primary is asked, the least counts. */
function sendWait(session: Session, bytes: Buffer, frame: RequestFrame, command: Command): void {
  toAllPrimaries(session, bytes, frame, command, ({ upstream, places }, kept, again) => {
    const message = Buffer.from(kept.subarray(again.start, again.at));
    const merged = new MergedReply(session.newRequest(command), { merge: least }, places.length);
    const free = session.hold();
    let missing = places.length;
    const answered = (): void => {
      missing -= 1;
      if (missing === 0) free();
    };
    for (const [index, place] of places.entries()) {
      const part = session.newPart(command);
      part.sink = merged.sinkFor(index);
      const goal = { upstream, place, message };
      // Redis waits for what was written before the connection's last command: on a new one that is nothing.
      new WaitingCommand(session, part, { goal, search: () => goal, before: [PING] }, answered).open();
    }
  });
}
