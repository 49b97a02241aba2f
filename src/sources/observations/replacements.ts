/**
 * Notices where all servers of a Redis Cluster were replaced at once, and counts how often.
 *
 * No clock and no sockets: what is compared is what the World said last and says now. Servers that are replaced one after
 * the other are followed by whoever knows the topology, and are none of this.
 */
import type { Generations, MemberChanges, Members } from '../../world/observation.ts';

export class Replacements {
  /** By upstream: the last members that were not none. */
  readonly #seen = new Map<string, Members>();
  /** How many upstreams each host has. */
  readonly #upstreams = new Map<string, number>();
  readonly #generations = new Map<string, number>();

  /** Of the hosts that are in use. */
  generations(): Generations {
    return new Map([...this.#generations].filter(([host]) => this.#upstreams.has(host)));
  }

  /** What was known before a restart. */
  recall(generations: Generations): void {
    for (const [host, generation] of generations) this.#generations.set(host, generation);
  }

  /** What others know of the hosts that are in use: the higher number counts. Returns what is new. */
  learn(generations: Generations): Generations {
    const news = new Map<string, number>();
    for (const [host, generation] of generations) {
      const isNews = this.#upstreams.has(host) && generation > (this.#generations.get(host) ?? 0);
      if (isNews) news.set(host, generation);
    }
    this.recall(news);
    return news;
  }

  /** Returns the new numbers: 0 for a host that is used no longer. `compare` false: only takes note. */
  follow(changes: MemberChanges, { compare = true } = {}): Generations {
    const replaced = new Set<string>();
    const left = new Set<string>();
    for (const [upstream, members] of changes) {
      const before = this.#seen.get(upstream);
      if (members !== undefined && compare && isReplaced(before, members)) replaced.add(members.host);
      if (before !== undefined && before.host !== members?.host) {
        this.#count(before.host, -1);
        left.add(before.host);
      }
      if (members === undefined) {
        this.#seen.delete(upstream);
      } else {
        if (before?.host !== members.host) this.#count(members.host, 1);
        if (before === undefined || members.addresses.length > 0) this.#seen.set(upstream, members);
      }
    }
    const news = new Map([...replaced].map((host) => [host, (this.#generations.get(host) ?? 0) + 1]));
    this.recall(news);
    for (const host of left) {
      if (!this.#upstreams.has(host) && this.#generations.delete(host)) news.set(host, 0);
    }
    return news;
  }

  #count(host: string, by: number): void {
    const count = (this.#upstreams.get(host) ?? 0) + by;
    if (count > 0) this.#upstreams.set(host, count);
    else this.#upstreams.delete(host);
  }
}

function isReplaced(before: Members | undefined, now: Members): boolean {
  if (before === undefined || before.addresses.length === 0 || now.addresses.length === 0) return false;
  const known = new Set(before.addresses);
  return !now.addresses.some((address) => known.has(address));
}
