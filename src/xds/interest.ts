/**
 * Which resources of one type a client has subscribed to on one stream.
 *
 * A client that has never named anything wants everything (the old form of the wildcard); `*` says the same in so many
 * words. Both exist for clusters and listeners only: an empty request for endpoints means nothing, and Envoy sends one
 * when its last EDS cluster goes.
 */
import { CLUSTER_TYPE, LISTENER_TYPE, type TypeUrl } from '../envoy/resource.ts';

const WILDCARD = '*';

export interface InterestChange {
  /** Named now; may have been named before (delta: the client asks again because it may have forgotten). */
  readonly asked: readonly string[];
  /** No longer named. */
  readonly dropped: readonly string[];
  readonly wildcard: 'gained' | 'lost' | 'unchanged';
}

export class Interest {
  readonly #mayBeWildcard: boolean;
  #names: ReadonlySet<string> = new Set();
  #wildcard = false;
  /** False until the first name: as long as it is, an empty list means everything. */
  #hasNamed = false;
  #isFirst = true;

  constructor(typeUrl: TypeUrl) {
    this.#mayBeWildcard = typeUrl === CLUSTER_TYPE || typeUrl === LISTENER_TYPE;
  }

  get isWildcard(): boolean {
    return this.#wildcard;
  }

  get names(): ReadonlySet<string> {
    return this.#names;
  }

  covers(name: string): boolean {
    return this.#wildcard || this.#names.has(name);
  }

  /** State of the world: each request lists everything. `[]` after any name means nothing. */
  replace(list: readonly string[]): InterestChange {
    this.#hasNamed ||= list.length > 0;
    const before = this.#names;
    const names = new Set(list.filter((name) => name !== WILDCARD));
    this.#names = names;
    return {
      asked: [...names].filter((name) => !before.has(name)),
      dropped: [...before].filter((name) => !names.has(name)),
      wildcard: this.#setWildcard(!this.#hasNamed || list.includes(WILDCARD)),
    };
  }

  /**
   * Delta: names come and go. The old form is decided by the first request and then is a wildcard like any other:
   * names added to it do not end it, only `-*` does.
   */
  change(subscribe: readonly string[], unsubscribe: readonly string[]): InterestChange {
    const isOldForm = this.#isFirst && subscribe.length === 0;
    this.#isFirst = false;
    const names = new Set(this.#names);
    const asked = new Set<string>();
    const dropped = new Set<string>();
    for (const name of subscribe) {
      if (name === WILDCARD) continue;
      names.add(name);
      asked.add(name);
    }
    for (const name of unsubscribe) {
      if (!names.delete(name)) continue;
      asked.delete(name);
      dropped.add(name);
    }
    this.#names = names;
    const isAskedFor = this.#wildcard || isOldForm || subscribe.includes(WILDCARD);
    const wildcard = this.#setWildcard(isAskedFor && !unsubscribe.includes(WILDCARD));
    return { asked: [...asked], dropped: [...dropped], wildcard };
  }

  #setWildcard(wanted: boolean): InterestChange['wildcard'] {
    const before = this.#wildcard;
    this.#wildcard = wanted && this.#mayBeWildcard;
    if (before === this.#wildcard) return 'unchanged';
    return this.#wildcard ? 'gained' : 'lost';
  }
}
