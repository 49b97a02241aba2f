import type { Command } from '../../redis/command-table.ts';
import type { RequestFrame } from '../../redis/request-frame.ts';

/** What a client is in that makes its commands mean something else: a transaction, or subscriptions. */
export interface Mode {
  /** It would go over another connection than the one before it, which it must not overtake. */
  changesWay(bytes: Buffer, frame: RequestFrame, command: Command): boolean;
  /** True: it is taken care of; false: it is a command like any other. */
  take(bytes: Buffer, frame: RequestFrame, command: Command): boolean;
  /** A command was answered with an error before it came here. */
  refused(): void;
  /** The client is gone, or starts anew. */
  close(): void;
}
