/**
 * One command about subscriptions, as it is asked of a node.
 */
import { REPLIES } from '../wire/encode.ts';
import { handOn } from '../wire/reply-sink.ts';
import type { Request } from '../wire/request.ts';
import type { Change } from './held-channels.ts';

export interface Asked extends Change {
  readonly name: string;
  /** All that its client has named. */
  readonly named?: ReadonlySet<string>;
  /** null: a subscription made again, which the client knows of. */
  readonly request: Request | null;
  /** What was said to it last. */
  readonly refusal?: Buffer;
}

export type AskedByClient = Asked & { readonly request: Request };

export function isOfClient(asked: Asked): asked is AskedByClient {
  return asked.request !== null;
}

export function fail({ request, refusal = REPLIES.upstreamFailure }: AskedByClient): void {
  handOn(request.sink!, request, refusal);
}
