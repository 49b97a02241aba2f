/**
 * What a transaction publishes. Redis carries it out with the rest, at the server of the keys, which need not be where clients
 * subscribe: plain servers know nothing of each other's messages, nor do servers of different routes. Where it is another one it is
 * published there, too, once the transaction has been carried out.
 */
import type { Command } from '../../redis/command-table.ts';
import type { Session } from '../client/session.ts';
import type { Node } from '../topology/node.ts';
import type { Upstream } from '../upstream/upstream.ts';
import { giveRequest } from '../wire/request.ts';

/** Of one transaction; what is longer is published where its keys are only. */
const MAX_BYTES = 1_048_576;

/** The server of a transaction's keys. */
interface Carrier {
  readonly node: Node;
  readonly upstream: Upstream;
}

export class TransactionMessages {
  #messages: { readonly command: Command; readonly bytes: Buffer }[] = [];
  #bytes = 0;

  keep(command: Command, bytes: Uint8Array, from: number, to: number): void {
    if (command.name !== 'publish') return;
    this.#bytes += to - from;
    if (this.#bytes > MAX_BYTES) this.#messages = [];
    else this.#messages.push({ command, bytes: Buffer.from(bytes.subarray(from, to)) });
  }

  /** `at`: who has carried it out; `wasHeard`: at that server clients subscribed when the transaction began. */
  sendAfter(session: Session, at: Carrier, wasHeard: boolean): void {
    const { catchAll, primaryTerms } = session.home.routing;
    if (this.#messages.length === 0 || catchAll === null) return;
    const { upstream } = catchAll;
    // A plan that has come meanwhile may lead to the same servers by another name, which is not looked up yet.
    if (upstream.isReady ? isHeard(at, upstream) : wasHeard) return;
    for (const { command, bytes } of this.#messages) {
      const request = session.newPart(command);
      // Its reply is in that to EXEC.
      request.sink = { client: session.client, asker: session, deliver: giveRequest };
      request.terms = primaryTerms;
      request.place = session.placeWithoutKey(upstream, command);
      upstream.send(request, bytes, 0, bytes.length);
    }
  }
}

/** Whether clients that subscribe at `upstream` hear what is published at that server. Nodes of a cluster tell each other. */
export function isHeard({ node, upstream: own }: Carrier, upstream: Upstream): boolean {
  if (upstream.checksSlots) return own === upstream || upstream.knows(node.address);
  return upstream.holderOf(upstream.anyPlace(true))?.address === node.address;
}
