/**
 * Who waits for the replies to copies.
 */
import { giveRequest, type ReplySink, type Request } from './request.ts';

/** Gone from the begin: what is refused for now is not tried again. */
export const NOBODY: ReplySink = { isGone: true, deliver: giveRequest };

/** What becomes of it concerns nobody: it is sent once, and not asked elsewhere. */
export function isCopy({ sink }: Request): boolean {
  return sink === NOBODY;
}
