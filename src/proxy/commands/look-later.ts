/**
 * A command that can't be carried out yet: looked at again until it can, its client held meanwhile.
 */
import type { Command } from '../../redis/command-table.ts';
import { frameOf, type RequestFrame } from '../../redis/request-frame.ts';
import { REPLIES } from '../wire/encode.ts';
import { countBegun, countLater, countUndone } from '../wire/outcomes.ts';
import { pauseMs } from '../upstream/pause.ts';
import type { Session } from '../client/session.ts';

/** `then` gets it once it is time, or `waitMs` are over, unless its client has gone by then. */
export function lookLater(
  session: Session,
  bytes: Buffer,
  frame: RequestFrame,
  command: Command,
  waitMs: number,
  isTime: (bytes: Buffer, frame: RequestFrame) => boolean,
  then: (bytes: Buffer, frame: RequestFrame) => void,
): void {
  const kept = Buffer.from(bytes.subarray(frame.start, frame.at));
  const again = frameOf(kept);
  const since = session.cameAt;
  const until = since + waitMs;
  countLater(command);
  const free = session.hold(REPLIES.noUpstreamHost);
  const look = (): void => {
    const isOver = session.isEnding || session.isGone || performance.now() >= until;
    if (!isOver && !isTime(kept, again)) return void setTimeout(look, pauseMs(since, until));
    free();
    if (session.isEnding || session.isClosed) {
      countBegun(command);
      return countUndone(command.label, session);
    }
    // It may go over other connections than what was asked before: meanwhile the plan may have changed.
    session.afterAnswers(() => {
      countBegun(command);
      session.beginLate(since, () => then(kept, again));
    });
  };
  look();
}
