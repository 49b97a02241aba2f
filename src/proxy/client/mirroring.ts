/**
 * Copies of commands for mirrors: their replies are thrown away, and what can't be sent at once is dropped.
 */
import type { UpstreamId } from '../../plan/routing-plan.ts';
import type { Command } from '../../redis/command-table.ts';
import type { Connection } from '../wire/connection.ts';
import { READONLY } from '../topology/handshake.ts';
import type { Node } from '../topology/node.ts';
import { NOBODY } from '../wire/nobody.ts';
import { giveRequest, type Request } from '../wire/request.ts';
import type { MirrorDestination } from './routing.ts';

/** A mirror that is further behind gets nothing more. */
export const MOST_PENDING = 10_000;

/**
 * Whatever the replies to its client are like, and whoever may answer its reads, all its copies go the same way, and stay in
 * order.
 */
const KIND_OF_COPIES = READONLY;

/** Which mirrors get a command, or a transaction: of what goes in parts one gets all or none. */
export class Draws {
  readonly #drawn = new Map<UpstreamId, number>();

  isCopied(command: Command, { id, excludeReads, percentage }: MirrorDestination): boolean {
    if (command.isRead && excludeReads) return false;
    const drawn = this.#drawn.get(id) ?? Math.random() * 100;
    this.#drawn.set(id, drawn);
    return drawn < percentage;
  }
}

/** Of what goes in one piece. */
export function isCopied(command: Command, { excludeReads, percentage }: MirrorDestination): boolean {
  if (command.isRead && excludeReads) return false;
  return percentage >= 100 || Math.random() * 100 < percentage;
}

/** `request`: one of its own. `node`: who has its place; null: nobody now. */
export function sendCopy(
  node: Node | null,
  request: Request,
  bytes: Uint8Array,
  start: number,
  end: number,
): void {
  request.sink = NOBODY;
  request.connectionKind = KIND_OF_COPIES;
  const connection = connectionForCopies(node);
  if (connection === undefined) giveRequest(request);
  else connection.append(request, bytes, start, end);
}

/** undefined: it can't take more now. */
export function connectionForCopies(node: Node | null): Connection | undefined {
  const connection = node?.connection(KIND_OF_COPIES);
  if (connection === undefined || connection.isCongested || connection.pending > MOST_PENDING)
    return undefined;
  return connection;
}
