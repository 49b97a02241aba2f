/**
 * What a client has refused of one type: parked until its content changes or a retry is due.
 *
 *   refused ──> 5 s ──> sent again ──> refused ──> 10 s ──> … ──> every 5 min
 *
 * A port that was taken may be free again, so unchanged content is tried again, but at these times only: servers that
 * answer each refusal at once drive their clients round in a circle.
 */
import type { Served } from './holdings.ts';
import type { SentResponse } from './outstanding.ts';
import { blamedNames, withoutContents } from './rejection.ts';

export const FIRST_RETRY_MS = 5_000;
export const LAST_RETRY_MS = 300_000;

interface Refusal {
  readonly message: string;
  /** Version by name of what the client blamed. */
  readonly versions: Map<string, string>;
  /** What the refused response removed: it may all be there still, so it is removed again with the next change. */
  readonly removed: Set<string>;
  /** How often it has been refused without a change. */
  readonly tries: number;
  readonly retryAtMs: number;
  /** It has been given another chance, whose answer is awaited. */
  isRetried: boolean;
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

  /** Names whose removal was refused. */
  removed(): Iterable<string> {
    return this.#refusals.flatMap(({ removed }) => [...removed]);
  }

  /** Parked: not to be sent again as it is. */
  isParked(name: string, version: string): boolean {
    return this.#refusals.some(({ versions, isRetried }) => !isRetried && versions.get(name) === version);
  }

  add(response: SentResponse, message: string, nowMs: number, isHeld: (name: string) => boolean): void {
    const { content } = response;
    const blamed = blamedNames(
      message,
      content.resources.map(({ name }) => name),
    );
    const names = new Set(blamed);
    const versions = new Map(
      content.resources.filter(({ name }) => names.has(name)).map(({ name, version }) => [name, version]),
    );
    const removed = new Set(content.removed);
    const earlier = this.#refusals.filter(
      (refusal) =>
        [...versions].some(([name, version]) => refusal.versions.get(name) === version) ||
        [...removed].some((name) => refusal.removed.has(name)),
    );
    const tries = 1 + Math.max(0, ...earlier.map((refusal) => refusal.tries));
    const waitMs = Math.min(FIRST_RETRY_MS * 2 ** (tries - 1), LAST_RETRY_MS);
    const refusal = { message: withoutContents(message), versions, removed, tries, isRetried: false };
    this.settle(response, isHeld);
    this.#refusals = [...this.#refusals, { ...refusal, retryAtMs: nowMs + waitMs }];
  }

  /** Ends what was refused of these names, since the client has answered for them anew, and of those it has lost. */
  settle({ content }: SentResponse, isHeld: (name: string) => boolean): void {
    if (this.isEmpty) return;
    for (const { versions, removed } of this.#refusals) {
      for (const { name } of content.resources) {
        versions.delete(name);
        removed.delete(name);
      }
      for (const name of content.removed) {
        versions.delete(name);
        removed.delete(name);
      }
      for (const name of versions.keys()) if (!isHeld(name)) versions.delete(name);
    }
    this.#refusals = this.#refusals.filter(({ versions, removed }) => versions.size + removed.size > 0);
  }

  /** When the next retry is due; undefined: none is. */
  retryAt(): number | undefined {
    const times = this.#refusals.flatMap(({ isRetried, retryAtMs }) => (isRetried ? [] : retryAtMs));
    return times.length > 0 ? Math.min(...times) : undefined;
  }

  /** What is to be tried again by now; each is told once. */
  takeDue(nowMs: number): {
    readonly versions: readonly (readonly [string, string])[];
    readonly removed: readonly string[];
  } {
    const due = this.#refusals.filter(({ isRetried, retryAtMs }) => !isRetried && retryAtMs <= nowMs);
    for (const refusal of due) refusal.isRetried = true;
    return {
      versions: due.flatMap(({ versions }) => [...versions]),
      removed: due.flatMap(({ removed }) => [...removed]),
    };
  }

  /**
   * One bad cluster can keep Envoy from applying anything of a response, so what was refused together is tried again as
   * soon as one of them is another. Each such try costs a change of content: no circle.
   */
  takeChanged({ resources, withheld }: Served): readonly (readonly [string, string])[] {
    const changed = this.#refusals.filter(
      ({ isRetried, versions }) =>
        !isRetried &&
        [...versions].some(
          ([name, version]) => !withheld.has(name) && resources.get(name)?.version !== version,
        ),
    );
    for (const refusal of changed) refusal.isRetried = true;
    return changed.flatMap(({ versions }) => [...versions]);
  }
}
