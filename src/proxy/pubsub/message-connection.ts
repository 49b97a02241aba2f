import type { Session } from '../client/session.ts';
import { RESP3 } from '../topology/handshake.ts';
import type { Node } from '../topology/node.ts';
import { OwnConnection } from '../upstream/own-connection.ts';
import type { Upstream } from '../upstream/upstream.ts';

/** A connection for a client's subscriptions; undefined: there is nobody to ask, or no room for one more. */
export function messageConnection(
  upstream: Upstream,
  node: Node | null,
  session: Session,
): OwnConnection | undefined {
  if (node === null || upstream.isFull) return undefined;
  // Without READONLY, which no subscription needs: one that is busy refuses it, and is connected to anew for that.
  const own = new OwnConnection(upstream, node, session.connectionKind() & RESP3);
  own.patienceMs = session.home.routing.terms.opTimeoutMs;
  return own;
}
