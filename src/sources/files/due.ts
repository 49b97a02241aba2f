/**
 * What the watcher has told since somebody last asked.
 */
import type { Scope } from './known-files.ts';

/** `put`: one event, as of a file that was made elsewhere and renamed to this path; `other`: anything else. */
export type Happening = 'put' | 'other';

export class Due {
  #isEverything = false;
  readonly #paths = new Map<string, Happening>();

  add(path: string | undefined, happening: Happening): void {
    if (path === undefined) this.#isEverything = true;
    // Twice the first of them is not the first any more.
    else this.#paths.set(path, this.#paths.has(path) ? 'other' : happening);
  }

  /** What happened after it, too. */
  addAll(later: Due): void {
    if (later.#isEverything) this.#isEverything = true;
    for (const [path, happening] of later.#paths) this.add(path, happening);
  }

  get isEmpty(): boolean {
    return !this.#isEverything && this.#paths.size === 0;
  }

  get scope(): Scope {
    return this.#isEverything ? 'everything' : this.#paths.keys();
  }

  has(path: string): boolean {
    return this.#isEverything || this.#paths.has(path);
  }

  happening(path: string): Happening {
    return this.#paths.get(path) ?? 'other';
  }
}
