/**
 * Which channels and patterns a client is subscribed to in one place, as it will be once all that it has asked is confirmed.
 */
export const SUBSCRIBING = ['subscribe', 'psubscribe', 'ssubscribe'] as const;
export type Subscribing = (typeof SUBSCRIBING)[number];

/** What one command changes. */
export interface Change {
  readonly channels: readonly string[];
  /** Of these, those to forget where it is refused: they were not subscribed to before. */
  readonly fresh: readonly string[];
  /** Those to take back where it is refused. */
  readonly left: readonly string[];
  /** To how many its client is subscribed after each: on one connection Redis would count all. */
  readonly counts: readonly number[];
}

/** What one takes beside its name. */
export const PLACE_BYTES = 64;

export class HeldChannels {
  /** What they take, about. */
  bytes = 0;
  readonly #held: Readonly<Record<Subscribing, Set<string>>> = {
    subscribe: new Set(),
    psubscribe: new Set(),
    ssubscribe: new Set(),
  };

  get size(): number {
    return SUBSCRIBING.reduce((sum, kind) => sum + this.#held[kind].size, 0);
  }

  of(kind: Subscribing): ReadonlySet<string> {
    return this.#held[kind];
  }

  add(kind: Subscribing, channel: string): void {
    const held = this.#held[kind];
    if (held.has(channel)) return;
    held.add(channel);
    this.bytes += channel.length + PLACE_BYTES;
  }

  /** False: it was not among them. */
  delete(kind: Subscribing, channel: string): boolean {
    const had = this.#held[kind].delete(channel);
    if (had) this.bytes -= channel.length + PLACE_BYTES;
    return had;
  }

  /**
   * `before`: to how many the client is subscribed in all; `takes`: true where it is subscribed to a channel that is of no
   * place, and of none any more from then on.
   */
  change(
    name: string,
    channels: readonly string[],
    before: number,
    takes: (channel: string) => boolean = () => false,
  ): Change {
    const kind = kindOf(name);
    const held = this.#held[kind];
    const isUnsubscribing = name !== kind;
    // By name, so that another connection, which has none of them, confirms as many.
    const asked = channels.length > 0 ? channels : [...held];
    const fresh = isUnsubscribing ? [] : asked.filter((channel) => !held.has(channel));
    const left = isUnsubscribing ? asked.filter((channel) => held.has(channel)) : [];
    let count = before;
    const counts = asked.map((channel) => {
      const had = held.has(channel) || takes(channel);
      if (isUnsubscribing) this.delete(kind, channel);
      else this.add(kind, channel);
      if (had === isUnsubscribing) count += isUnsubscribing ? -1 : 1;
      return count;
    });
    if (asked.length === 0) counts.push(count);
    return { channels: asked, fresh, left, counts };
  }

  forget(name: string, fresh: Iterable<string>): void {
    for (const channel of fresh) this.delete(kindOf(name), channel);
  }

  takeBack(name: string, left: readonly string[]): void {
    for (const channel of left) this.add(kindOf(name), channel);
  }
}

/** SUBSCRIBE's for UNSUBSCRIBE as well. */
function kindOf(name: string): Subscribing {
  return name.replace('un', '') as Subscribing;
}
