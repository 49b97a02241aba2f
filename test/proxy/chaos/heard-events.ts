/**
 * Keyspace notifications that a subscriber has heard: of each write at most one, and one of each where none can be lost.
 */
import type { Ledger } from './ledger.ts';

type Times = ReadonlyMap<string, number>;

export class HeardEvents {
  readonly #ledger: Ledger;
  /** Until it was asked to listen, and until it was told that it does; undefined: it does not. */
  #atAsking: Times | undefined;
  #atTelling: Times | undefined;
  readonly #heard = new Map<string, number>();

  constructor(ledger: Ledger) {
    this.#ledger = ledger;
  }

  /** It may be listening already. */
  asked(): void {
    this.#atAsking ??= this.#ledger.versions();
  }

  told(): void {
    this.#atTelling ??= this.#ledger.versions();
  }

  ended(): void {
    this.#atAsking = this.#atTelling = undefined;
    this.#heard.clear();
  }

  /** Returns whether it is one too many. */
  hear(key: string): boolean {
    const times = (this.#heard.get(key) ?? 0) + 1;
    this.#heard.set(key, times);
    return times > this.#ledger.key(key).versions.length - (this.#atAsking?.get(key) ?? 1);
  }

  /** Keys of which it should have heard more. */
  get missing(): readonly string[] {
    const before = this.#atTelling;
    if (before === undefined) return [];
    return [...this.#ledger.versions()]
      .filter(([key, times]) => (this.#heard.get(key) ?? 0) < times - (before.get(key) ?? 1))
      .map(([key]) => key);
  }
}
