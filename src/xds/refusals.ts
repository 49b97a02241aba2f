/**
 * What a client has refused of one type: parked until its content changes or a retry is due.
 *
 *   refused ──> 5 s ──> sent again ──> refused ──> 10 s ──> … ──> every 5 min
 *
 * A port that was taken may be free again, so unchanged content is tried again, but at these times only: servers that
 * answer each refusal at once drive their clients round in a circle.
 */
import type { Served } from './served.ts';
import { isAmong, type SentResponse } from './outstanding.ts';
import { blamedNames, withoutContents, wordsByName } from './rejection.ts';

export const FIRST_RETRY_MS = 5_000;
export const LAST_RETRY_MS = 300_000;

interface Refusal {
  readonly message: string;
  /** What of it is about each, where it says so. */
  readonly words: ReadonlyMap<string, string>;
  /** Version by name of what the client blamed. */
  readonly versions: Map<string, string>;
  /** Of these, what it had no version of before, and so has none now. */
  readonly novel: ReadonlySet<string>;
  /** What the refused response removed: it may all be there still, so it is removed again with the next change. */
  readonly removed: Set<string>;
  /** How often it has been refused without a change. */
  readonly tries: number;
  readonly retryAtMs: number;
  /** It has been given another chance, whose answer is awaited. */
  isRetried: boolean;
}

/** What gets another chance. */
interface Again {
  readonly versions: readonly (readonly [name: string, version: string])[];
  readonly removed: readonly string[];
}

export class Refusals {
  #refusals: readonly Refusal[] = [];

  get isEmpty(): boolean {
    return this.#refusals.length === 0;
  }

  /** The client's words for what it refuses now; undefined while it refuses nothing. */
  get message(): string | undefined {
    return this.#refusals.at(-1)?.message;
  }

  /** It refused that version, and has no other. */
  isLacked(name: string, version: string): boolean {
    return this.#refusals.some(({ versions, novel }) => novel.has(name) && versions.get(name) === version);
  }

  /** Something that is refused may still be there as it was: a change of it, or, where nobody is blamed, a removal. */
  get mayKeepOlder(): boolean {
    return this.#refusals.some(
      ({ versions, novel, removed, words }) =>
        [...versions.keys()].some((name) => !novel.has(name)) || (words.size === 0 && removed.size > 0),
    );
  }

  /** Names whose removal was refused. */
  removed(): Iterable<string> {
    return this.#refusals.flatMap(({ removed }) => [...removed]);
  }

  /** Parked: not to be sent again as it is. */
  isParked(name: string, version: string): boolean {
    return this.#refusals.some(({ versions, isRetried }) => !isRetried && versions.get(name) === version);
  }

  /** The client's words for that version, from its refusal until its next answer; undefined: it refused no such. */
  wordsFor(name: string, version: string): string | undefined {
    const refusal = this.#refusals.find(({ versions }) => versions.get(name) === version);
    return refusal?.words.get(name) ?? refusal?.message;
  }

  add(
    response: SentResponse,
    message: string,
    nowMs: number,
    client: { isHeld(name: string): boolean; isWanted(name: string): boolean },
  ): void {
    const { content } = response;
    const names = content.resources.map(({ name }) => name);
    const blamed = new Set(blamedNames(message, names));
    const shown = withoutContents(message);
    const versions = new Map(
      content.resources
        .filter(({ name }) => blamed.has(name) && client.isHeld(name))
        .map(({ name, version }) => [name, version]),
    );
    const removed = new Set(response.removed.filter((name) => client.isWanted(name)));
    const earlier = this.#refusals.filter(
      (refusal) =>
        [...versions].some(([name, version]) => refusal.versions.get(name) === version) ||
        [...removed].some((name) => refusal.removed.has(name)),
    );
    const tries = 1 + Math.max(0, ...earlier.map((refusal) => refusal.tries));
    const waitMs = Math.min(FIRST_RETRY_MS * 2 ** (tries - 1), LAST_RETRY_MS);
    const words = wordsByName(shown, names);
    const isNovel = ([name, version]: readonly [string, string]): boolean =>
      isAmong(response.novel, name) || this.isLacked(name, version);
    const novel = new Set([...versions].filter(isNovel).map(([name]) => name));
    const refusal = { message: shown, words, versions, novel, removed, tries, isRetried: false };
    this.settle(response, (name) => client.isHeld(name));
    this.#refusals = [...this.#refusals, { ...refusal, retryAtMs: nowMs + waitMs }];
    this.#dropEmpty();
  }

  /** Ends what was refused of these names, since the client has answered for them anew, and of those it has lost. */
  settle(answered: SentResponse, isHeld: (name: string) => boolean): void {
    if (this.isEmpty) return;
    for (const { versions, removed } of this.#refusals) {
      for (const { name } of answered.content.resources) {
        versions.delete(name);
        removed.delete(name);
      }
      for (const name of answered.removed) {
        versions.delete(name);
        removed.delete(name);
      }
      for (const name of versions.keys()) if (!isHeld(name)) versions.delete(name);
    }
    this.#dropEmpty();
  }

  /** Ends what was refused of other names: the client wants them no more. */
  keep(isKept: (name: string) => boolean): void {
    for (const { versions, removed } of this.#refusals) {
      for (const name of versions.keys()) if (!isKept(name)) versions.delete(name);
      for (const name of removed) if (!isKept(name)) removed.delete(name);
    }
    this.#dropEmpty();
  }

  /** When the next retry is due; undefined: none is. */
  retryAt(): number | undefined {
    if (this.isEmpty) return undefined;
    const times = this.#refusals.flatMap(({ isRetried, retryAtMs }) => (isRetried ? [] : retryAtMs));
    return times.length > 0 ? Math.min(...times) : undefined;
  }

  /** What is to be tried again by now; each is told once. */
  takeDue(nowMs: number): Again {
    return this.#take(({ retryAtMs }) => retryAtMs <= nowMs);
  }

  /**
   * One bad cluster can keep Envoy from applying anything of a response, so what was refused together is tried again as
   * soon as one of them is another. Each such try costs a change of content: no circle.
   */
  takeChanged({ resources, withheld }: Served): Again {
    const isChanged = ([name, version]: readonly [string, string]): boolean =>
      !withheld.has(name) && resources.get(name)?.version !== version;
    return this.#take(({ versions }) => [...versions].some(isChanged));
  }

  #take(isDue: (refusal: Refusal) => boolean): Again {
    const due = this.#refusals.filter((refusal) => !refusal.isRetried && isDue(refusal));
    for (const refusal of due) refusal.isRetried = true;
    return {
      versions: due.flatMap(({ versions }) => [...versions]),
      removed: due.flatMap(({ removed }) => [...removed]),
    };
  }

  #dropEmpty(): void {
    this.#refusals = this.#refusals.filter(({ versions, removed }) => versions.size + removed.size > 0);
  }
}
