/**
 * What concerns every primary of the catch-all's upstream, or of another one: carried out once it is known which those are, or it would be of one.
 */
import type { Command } from '../../redis/command-table.ts';
import type { RequestFrame } from '../../redis/request-frame.ts';
import { REPLIES } from '../wire/encode.ts';
import { lookLater } from './look-later.ts';
import type { Session } from '../client/session.ts';
import type { Upstream } from '../upstream/upstream.ts';

export interface Primaries {
  readonly upstream: Upstream;
  /** One of each; empty while nobody has said which there are. */
  readonly places: readonly number[];
}

export type SendToAll = (primaries: Primaries, bytes: Buffer, frame: RequestFrame) => void;

/** `upstreamNow`: whose, as the plan has it then. */
export function toAllPrimaries(
  session: Session,
  bytes: Buffer,
  frame: RequestFrame,
  command: Command,
  send: SendToAll,
  upstreamNow = (): Upstream | undefined => session.home.routing.catchAll?.upstream,
): void {
  const primaries = primariesOf(upstreamNow());
  if (primaries === undefined) return session.answer(command, REPLIES.noUpstreamHost);
  if (areKnown(primaries)) return send(primaries, bytes, frame);
  const isKnown = (): boolean => {
    const now = primariesOf(upstreamNow());
    if (now === undefined || areKnown(now)) return true;
    // Who said so may have said it after the last map was asked for.
    now.upstream.noteDoubt();
    return false;
  };
  const waitMs = primaries.upstream.settings.failoverWaitMs;
  lookLater(session, bytes, frame, command, waitMs, isKnown, (kept, again) => {
    const now = primariesOf(upstreamNow());
    if (now === undefined || now.places.length === 0) session.answer(command, REPLIES.noUpstreamHost);
    else send(now, kept, again);
  });
}

function areKnown({ upstream, places }: Primaries): boolean {
  return places.length > 0 && !upstream.arePrimariesInDoubt;
}

function primariesOf(upstream: Upstream | undefined): Primaries | undefined {
  return upstream && { upstream, places: upstream.primaryPlaces() };
}
