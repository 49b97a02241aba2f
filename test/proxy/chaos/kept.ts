/**
 * What a client keeps of what it has read, until it is told that it has changed.
 */
import type { Ledger } from './ledger.ts';
import type { Reply } from './replies.ts';
import { unnamed } from './routes.ts';

export class KeptValues {
  /** What is asked next is tracked. */
  isAsked = false;
  readonly #ledger: Ledger;
  readonly #name: string;
  readonly #values = new Map<string, string | null>();

  constructor(ledger: Ledger, name: string) {
    [this.#ledger, this.#name] = [ledger, name];
  }

  has(key: string): boolean {
    return this.#values.has(key);
  }

  keep(key: string, value: string | null): void {
    this.#ledger.count('values kept');
    this.#values.set(key, value);
  }

  /** `keys`: as its client calls them; null: all. */
  changed(keys: Reply): void {
    this.#ledger.count(keys === null ? 'told that all may have changed' : 'told what has changed');
    if (!Array.isArray(keys)) return this.forget();
    for (const name of keys as readonly Reply[]) {
      const key = typeof name === 'string' ? unnamed(name) : '';
      this.#ledger.note(`${this.#name} ${key}`, `${this.#name} is told that ${key} has changed`);
      this.#values.delete(key);
    }
  }

  forget(): void {
    this.#ledger.note(this.#name, `${this.#name} keeps nothing`);
    this.#values.clear();
  }

  /** What is something else by now. */
  get old(): readonly string[] {
    return [...this.#values].filter(([key, value]) => this.#ledger.value(key) !== value).map(([key]) => key);
  }
}
