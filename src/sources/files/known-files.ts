/**
 * How the files were when they were last read, and looks at how they are now.
 *
 * An edit of one file among ten thousand must not cost a look at all of them, nor a copy of what is known.
 */
import { basename, dirname } from 'node:path';

import {
  isBelow,
  isLinked,
  isObjectFile,
  listFiles,
  look,
  sameStamp,
  stampOf,
  type Stamp,
  type Tree,
} from './tree.ts';

/** Where to look: paths that something happened to, or at all there is. */
export type Scope = Iterable<string> | 'everything';

/** How files are at a moment. */
export type Look =
  | { readonly kind: 'everything'; readonly tree: Tree }
  /** Only these were looked at, and only files; undefined: gone. */
  | { readonly kind: 'some'; readonly stamps: ReadonlyMap<string, Stamp | undefined> };

export class KnownFiles {
  readonly #paths: readonly string[];
  #files = new Map<string, Stamp>();
  #hidden: ReadonlyMap<string, string> = new Map();
  #isLinked = false;
  /** Those that hold files, directly or further down; undefined: not worked out yet. */
  #folders: Set<string> | undefined;

  constructor(paths: readonly string[]) {
    this.#paths = paths;
  }

  get isAnyHidden(): boolean {
    return this.#hidden.size > 0;
  }

  get isAnyLinked(): boolean {
    return this.#isLinked;
  }

  stamp(path: string): Stamp | undefined {
    return this.#files.get(path);
  }

  async look(scope: Scope): Promise<Look> {
    if (scope === 'everything') return await this.#everything();
    const stamps = new Map<string, Stamp | undefined>();
    const looked = await Promise.all(Array.from(scope, async (path) => [path, await look(path)] as const));
    for (const [path, state] of looked) {
      if (typeof state === 'string' || this.#hidden.has(path)) return await this.#everything();
      if (!this.#isLinked && (await isLinked(path))) return await this.#everything();
      const isKnown = this.#files.has(path);
      const isFile = state === undefined ? isKnown && !this.#paths.includes(path) : state.isFile();
      if (isFile && (isKnown || this.#isNewFile(path))) stamps.set(path, state && stampOf(state));
      else if (isKnown || this.#mayHoldObjects(path, state?.isDirectory())) return await this.#everything();
    }
    return { kind: 'some', stamps };
  }

  /** Paths that came, went or were written to since they were read. */
  changed(now: Look): readonly string[] {
    if (now.kind === 'some')
      return [...now.stamps]
        .filter(([path, stamp]) => !sameStamp(stamp, this.#files.get(path)))
        .map(([path]) => path);
    const { files, hidden } = now.tree;
    return [...new Set([this.#files, this.#hidden, files, hidden].flatMap((map) => [...map.keys()]))].filter(
      (path) =>
        !sameStamp(this.#files.get(path), files.get(path)) || this.#hidden.get(path) !== hidden.get(path),
    );
  }

  /** Whether nothing happened between two looks, the later of which may go further. */
  isSame(before: Look, now: Look): boolean {
    if (before.kind === 'some' && now.kind === 'some') {
      const earlier = ([path]: readonly [string, unknown]): Stamp | undefined =>
        before.stamps.has(path) ? before.stamps.get(path) : this.#files.get(path);
      return [...now.stamps].every((entry) => sameStamp(earlier(entry), entry[1]));
    }
    if (before.kind === 'some' || now.kind === 'some') return false;
    const { files, hidden } = now.tree;
    return (
      before.tree.files.size === files.size &&
      before.tree.hidden.size === hidden.size &&
      [...before.tree.files].every(([path, stamp]) => sameStamp(stamp, files.get(path)))
    );
  }

  /** All files that there are by that look. */
  whole(now: Look): Tree {
    if (now.kind === 'everything') return now.tree;
    const files = new Map(this.#files);
    putInto(files, now.stamps);
    return { files, hidden: this.#hidden, isLinked: this.#isLinked };
  }

  /** What was hidden before that look, and is not any more. */
  found(now: Look): readonly string[] {
    if (now.kind === 'some') return [];
    return [...this.#hidden.keys()].filter((path) => !now.tree.hidden.has(path));
  }

  /** They were read as that look has them. */
  take(now: Look): void {
    if (now.kind === 'everything') {
      this.#files = new Map(now.tree.files);
      this.#hidden = now.tree.hidden;
      this.#folders = undefined;
    } else putInto(this.#files, now.stamps);
  }

  async #everything(): Promise<Look> {
    const tree = await listFiles(this.#paths);
    // Whether or not there is anything to be read: a link may lead to a folder that is empty yet.
    this.#isLinked = tree.isLinked;
    return { kind: 'everything', tree };
  }

  /** Whether it is certainly read like those beside it. Of several given paths each may name a file that another has. */
  #isNewFile(path: string): boolean {
    if (this.#paths.length > 1 || !isObjectFile(path) || basename(path).startsWith('..')) return false;
    return this.#listed().has(dirname(path));
  }

  /** Of a path that is not one of the files. `isFolder`: undefined where there is nothing any more. */
  #mayHoldObjects(path: string, isFolder: boolean | undefined): boolean {
    if (isFolder === true || isObjectFile(path)) return true;
    if (isFolder === false) return false;
    if (this.#paths.some((given) => given === path || isBelow(given, path))) return true;
    return this.#listed().has(path);
  }

  #listed(): ReadonlySet<string> {
    if (this.#folders === undefined) {
      this.#folders = new Set();
      for (const path of this.#files.keys()) {
        for (let at = dirname(path); !this.#folders.has(at); at = dirname(at)) this.#folders.add(at);
      }
    }
    return this.#folders;
  }
}

/** With undefined: takes it out. */
export function putInto<V>(map: Map<string, V>, updates: ReadonlyMap<string, V | undefined>): void {
  for (const [path, value] of updates) {
    if (value === undefined) map.delete(path);
    else map.set(path, value);
  }
}
