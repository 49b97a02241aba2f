/**
 * What a node says of its own over connections on which it is asked to track what is read.
 */
import type { PushHearer } from '../wire/connection-owner.ts';

/** What is refused so may be granted later; who is not let in can't read either, and gets another connection once he is. */
const PASSING = /^(?:BUSY|LOADING) /;
const NOT_LET_IN = /^(?:NOAUTH|WRONGPASS) /;

/** `leave`: those connections, over which nothing will be told. */
export function pushesTo(owner: { readonly invalidations: PushHearer }, leave: () => void): PushHearer {
  return {
    pushed: (bytes, start, end) => owner.invalidations.pushed(bytes, start, end),
    untracked: (why) => {
      if (NOT_LET_IN.test(why)) return;
      leave();
      if (!PASSING.test(why)) owner.invalidations.untracked(why);
    },
    lost: () => owner.invalidations.lost(),
  };
}
