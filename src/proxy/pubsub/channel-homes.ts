/**
 * Which node a shard channel is of, as the plan and the servers have it now.
 */
import type { Session } from '../client/session.ts';
import type { Node } from '../topology/node.ts';
import type { Upstream } from '../upstream/upstream.ts';

export class ChannelHomes {
  readonly #session: Session;

  constructor(session: Session) {
    this.#session = session;
  }

  /** As SPUBLISH finds it. */
  placeOf(upstream: Upstream, channel: string): number {
    const bytes = Buffer.from(channel, 'latin1');
    return upstream.placeOf(bytes, 0, bytes.length, this.#session.home.routing.terms.hashTags);
  }

  /** null: it can't be asked now. */
  nodeOf(upstream: Upstream, channel: string): Node | null {
    return upstream.primaryFor(this.placeOf(upstream, channel));
  }

  /** Of a Redis Cluster its nodes say so themselves. */
  isElsewhere(upstream: Upstream, channel: string, node: Node): boolean {
    if (upstream.checksSlots) return false;
    return (this.nodeOf(upstream, channel) ?? node) !== node;
  }

  /** Whether some channels are another plain server's than `node`; found out anew as servers come, go, or can be asked. */
  hasOthers(upstream: Upstream, node: Node, channels: () => readonly string[]): () => boolean {
    let lookedAt = '';
    return () => {
      const servers = upstream
        .primaryPlaces()
        .map((place) => `${place} ${upstream.primaryFor(place) !== null}`);
      const now = `${this.#session.home.routing.terms.hashTags} ${servers.join(' ')}`;
      if (now === lookedAt) return false;
      lookedAt = now;
      // One that can't be asked now is waited for.
      return channels().some((channel) => this.isElsewhere(upstream, channel, node));
    };
  }
}
