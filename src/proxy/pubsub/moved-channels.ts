/**
 * What one connection with subscriptions leaves to the next.
 */
import type { Request } from '../wire/request.ts';

/** Shard channels that another node has by now; `request`: whose client waits for them to be confirmed. */
export interface Moved {
  readonly name: 'ssubscribe' | 'sunsubscribe';
  readonly channels: readonly string[];
  readonly request: Request | null;
  /** What the node said, if anything. */
  readonly reply?: Buffer | undefined;
  /** As its client is to be told. */
  readonly counts?: readonly number[];
}
