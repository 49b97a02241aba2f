/**
 * Copies of commands for mirrors: their replies are thrown away, and what can't be sent at once is dropped.
 */
import { giveRequest, type ReplySink, type Request } from './request.ts';
import type { MirrorDestination } from './routing.ts';

/** Gone from the begin: what is refused for now is not tried again. */
const NOBODY: ReplySink = { isGone: true, deliver: giveRequest };

/** `copy`: a request of its own with the terms of the one that is mirrored, for the mirror's upstream. */
export function mirror(
  mirrors: readonly MirrorDestination[],
  copy: (mirror: MirrorDestination) => Request,
  isRead: boolean,
  bytes: Uint8Array,
  start: number,
  end: number,
): void {
  for (const each of mirrors) {
    if (isRead && each.excludeReads) continue;
    if (each.percentage < 100 && Math.random() * 100 >= each.percentage) continue;
    const request = copy(each);
    request.sink = NOBODY;
    each.upstream.mirror(request, bytes, start, end);
  }
}
