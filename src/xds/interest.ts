/**
 * Which resources of one type a client has subscribed to on one stream.
 *
 * A client that has never named anything wants everything (the old form of the wildcard); `*` says the same in so many
 * words. Both exist for clusters and listeners only: an empty request for endpoints means nothing, and Envoy sends one
 * when its last EDS cluster goes.
 */
import { CLUSTER_TYPE, LISTENER_TYPE, type TypeUrl } from '../envoy/resource.ts';

const WILDCARD = '*';

/** What is subscribed at a moment; the same object as long as nothing changes. */
export interface Scope {
  readonly isWildcard: boolean;
  readonly names: ReadonlySet<string>;
}

export const NO_SCOPE: Scope = { isWildcard: false, names: new Set() };

export function covers({ isWildcard, names }: Scope, name: string): boolean {
  return isWildcard || names.has(name);
}

export interface InterestChange {
  /** Named now; may have been named before (delta: the client asks again because it may have forgotten). */
  readonly asked: readonly string[];
  /** No longer named. */
  readonly dropped: readonly string[];
  readonly wildcard: 'gained' | 'lost' | 'unchanged';
}

export class Interest {
  readonly #mayBeWildcard: boolean;
  #scope = NO_SCOPE;
  /** False until the first name: as long as it is, an empty list means everything. */
  #hasNamed = false;
  #isFirst = true;

  constructor(typeUrl: TypeUrl) {
    this.#mayBeWildcard = typeUrl === CLUSTER_TYPE || typeUrl === LISTENER_TYPE;
  }

  get scope(): Scope {
    return this.#scope;
  }

  /** Before the first request. */
  wantAll(): void {
    this.#become(true, this.#scope.names, [], []);
  }

  /** State of the world: each request lists everything. `[]` after any name means nothing. */
  replace(list: readonly string[]): InterestChange {
    this.#hasNamed ||= list.length > 0;
    const before = this.#scope.names;
    const names = new Set(list);
    const isWildcard = names.delete(WILDCARD) || !this.#hasNamed;
    const asked = [...names].filter((name) => !before.has(name));
    const dropped = [...before].filter((name) => !names.has(name));
    return this.#become(isWildcard, asked.length + dropped.length > 0 ? names : before, asked, dropped);
  }

  /**
   * Delta: names come and go. The old form is decided by the first request and then is a wildcard like any other:
   * names added to it do not end it, only `-*` does.
   */
  change(subscribe: readonly string[], unsubscribe: readonly string[]): InterestChange {
    const isOldForm = this.#isFirst && subscribe.length === 0;
    this.#isFirst = false;
    const { names: before, isWildcard: wasWildcard } = this.#scope;
    const isAskedFor = wasWildcard || isOldForm || subscribe.includes(WILDCARD);
    const isWildcard = isAskedFor && !unsubscribe.includes(WILDCARD);
    if (subscribe.length + unsubscribe.length === 0) return this.#become(isWildcard, before, [], []);
    const names = new Set(before);
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
    return this.#become(isWildcard, names, [...asked], [...dropped]);
  }

  #become(
    wantsAll: boolean,
    names: ReadonlySet<string>,
    asked: readonly string[],
    dropped: readonly string[],
  ): InterestChange {
    const before = this.#scope;
    const isWildcard = wantsAll && this.#mayBeWildcard;
    if (isWildcard !== before.isWildcard || names !== before.names) this.#scope = { isWildcard, names };
    if (isWildcard === before.isWildcard) return { asked, dropped, wildcard: 'unchanged' };
    return { asked, dropped, wildcard: isWildcard ? 'gained' : 'lost' };
  }
}
