/**
 * What the files were when they were last read, and what has changed since.
 *
 * The watcher only says that something happened. What happened is read from the files themselves, once they have come to
 * rest: a half-written file must not remove objects.
 */
import { relative, sep } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import type { Diagnostic } from '../../api/diagnostic.ts';
import type { ObjectChanges } from '../../world/world.ts';
import { changeInPlace, differences, gather, type FileState, type Held } from './gather.ts';
import { readAndParse, unreadable } from './read.ts';
import { isObjectFile, listFiles, look, sameStamp, stampOf, type Stamp, type Tree } from './tree.ts';

/** Two looks at the files this far apart must see the same. A write of some kilobytes takes well under it. */
const REST_MS = 20;

/** An editor that truncates and writes, or removes and renames, leaves a file empty or absent for a moment. */
const EMPTY_REST_MS = 120;

/** A file that somebody writes to without end is read as it is after this time. */
const PATIENCE_MS = 2_000;

/** After a look that failed (too many open files), and where a path is hidden: nothing may ever be told of it again. */
const RETRY_MS = 1_000;

export interface WatchOptions {
  /** First with everything, then with each change; `diagnostics` are all that hold now. */
  readonly onChange: (changes: ObjectChanges, diagnostics: readonly Diagnostic[]) => void;
  readonly log: { error(message: string): void };
}

/** Where to look: paths that something happened to, or at all there is. */
type Scope = ReadonlySet<string> | 'everything';

export class Follower {
  readonly #paths: readonly string[];
  readonly #options: WatchOptions;
  readonly #stopped = new AbortController();
  #tree: Tree = { files: new Map(), hidden: new Map() };
  #files: ReadonlyMap<string, FileState> = new Map();
  #held = new Map<string, Held>();
  #diagnostics: readonly Diagnostic[] = [];
  /** Then it is tried again with every change. */
  #isAnyUnreadable = false;
  #due: 'everything' | Set<string> = new Set();
  #isBusy = false;
  #nextLook: NodeJS.Timeout | undefined;

  constructor(paths: readonly string[], options: WatchOptions) {
    this.#paths = paths;
    this.#options = options;
  }

  /** Reports everything there is. */
  async readAll(): Promise<void> {
    this.#isBusy = true;
    try {
      const deadline = Date.now() + PATIENCE_MS;
      for (;;) {
        const tree = await listFiles(this.#paths);
        const files = await this.#read(tree);
        if (Date.now() > deadline || (await this.#isStill(tree))) {
          this.#report(tree, files);
          break;
        }
      }
    } finally {
      this.#isBusy = false;
    }
    this.#follow();
  }

  /** Something happened to a file, or somewhere: look until everything has come to rest. */
  wake(path?: string): void {
    if (path === undefined) this.#due = 'everything';
    else if (this.#due !== 'everything') this.#due.add(path);
    this.#follow();
  }

  stop(): void {
    clearTimeout(this.#nextLook);
    this.#stopped.abort();
  }

  #follow(): void {
    if (this.#isBusy || this.#stopped.signal.aborted) return;
    this.#isBusy = true;
    this.#catchUp()
      .catch((error: unknown) => {
        if (!this.#stopped.signal.aborted) throw error;
      })
      .finally(() => {
        this.#isBusy = false;
        this.#lookAgainWhileHidden();
      });
  }

  async #catchUp(): Promise<void> {
    let told: string | undefined;
    while (this.#isDue && !this.#stopped.signal.aborted) {
      try {
        await this.#settle();
        told = undefined;
      } catch (error) {
        if (this.#stopped.signal.aborted) return;
        const message = error instanceof Error ? error.message : String(error);
        if (message !== told) this.#options.log.error(message);
        told = message;
        this.#due = 'everything';
        await this.#sleep(RETRY_MS);
      }
    }
  }

  get #isDue(): boolean {
    return this.#due === 'everything' || this.#due.size > 0;
  }

  async #settle(): Promise<void> {
    const deadline = Date.now() + PATIENCE_MS;
    let scope = this.#takeDue();
    let before = await this.#look(scope);
    if (this.#changed(before).length === 0) return;
    let since = Date.now();
    for (;;) {
      await this.#sleep(REST_MS);
      scope = together(scope, this.#takeDue());
      const now = await this.#look(scope);
      if (!sameTree(before, now)) since = Date.now();
      before = now;
      const changed = this.#changed(now);
      const isEmpty = changed.some((path) => (now.files.get(path)?.size ?? 0) === 0);
      const isLate = Date.now() > deadline;
      if (!isLate && Date.now() - since < (isEmpty ? EMPTY_REST_MS : REST_MS)) continue;
      const files = await this.#read(now);
      // Somebody may have begun to write between the last look and the reading.
      if (isLate || (await this.#isStill(now))) {
        if (!this.#stopped.signal.aborted) this.#report(now, files);
        return;
      }
      since = Date.now();
    }
  }

  #takeDue(): Scope {
    const due = this.#due;
    this.#due = new Set();
    return due;
  }

  /** An edit of one file among ten thousand must not cost a look at all of them. */
  async #look(scope: Scope): Promise<Tree> {
    if (scope === 'everything') return listFiles(this.#paths);
    // Copied only where something is another.
    let { files } = this.#tree;
    let copy: Map<string, Stamp> | undefined;
    const change = (path: string, stamp: Stamp | undefined): void => {
      if (stamp !== undefined && sameStamp(stamp, files.get(path))) return;
      copy ??= new Map(files);
      files = copy;
      if (stamp === undefined) copy.delete(path);
      else copy.set(path, stamp);
    };
    for (const path of scope) {
      const state = await look(path);
      if (typeof state === 'string') return listFiles(this.#paths);
      const isKnown = files.has(path);
      if (isKnown && (state === undefined || state.isFile())) change(path, state && stampOf(state));
      else if (isKnown || this.#tree.hidden.has(path) || this.#mayHoldObjects(path, state?.isDirectory())) {
        return listFiles(this.#paths);
      }
    }
    const hasAll = this.#paths.every((path) => !this.#tree.files.has(path) || files.has(path));
    return hasAll ? { files, hidden: this.#tree.hidden, looked: scope } : listFiles(this.#paths);
  }

  /** Of a path that is not one of the files. `isFolder`: undefined where there is nothing any more. */
  #mayHoldObjects(path: string, isFolder: boolean | undefined): boolean {
    if (isFolder === true || isObjectFile(path)) return true;
    if (isFolder === false) return false;
    if (this.#paths.some((given) => given === path || isBelow(given, path))) return true;
    // Files are listed by the paths that are watched; of ten thousand `relative` would take 30 ms.
    for (const file of this.#tree.files.keys())
      if (file === path || file.startsWith(`${path}${sep}`)) return true;
    return false;
  }

  /** Files that came, went or were written to since they were read. */
  #changed(now: Tree): readonly string[] {
    const before = this.#tree;
    return [...pathsOf(before, now)].filter(
      (path) =>
        !sameStamp(before.files.get(path), now.files.get(path)) ||
        before.hidden.get(path) !== now.hidden.get(path),
    );
  }

  async #read(tree: Tree): Promise<ReadonlyMap<string, FileState>> {
    const { files, hidden, looked } = tree;
    if (looked !== undefined && hidden.size === 0 && !this.#isAnyUnreadable)
      return await this.#readAgain(tree, this.#changed(tree));
    const read = new Map<string, FileState>();
    for (const [path, stamp] of files) {
      const known = this.#files.get(path);
      const isKnown = known?.unreadable === undefined && sameStamp(stamp, this.#tree.files.get(path));
      read.set(path, known !== undefined && isKnown ? known : await readAndParse(path, known));
    }
    // Redpilot would not start without a path that it was given, so its absence is a mistake, not an order to delete.
    for (const [path, problem] of hidden) {
      for (const [file, known] of this.#files) {
        if (isBelow(file, path)) read.set(file, known);
      }
      read.set(path, unreadable(path, problem, this.#files.get(path)));
    }
    if (hidden.size === 0) return read;
    // What is hidden keeps its turn: of two objects of one name the first is in force.
    const order = new Set([...this.#files.keys(), ...read.keys()]);
    return new Map([...order].flatMap((path) => pairOf(path, read.get(path))));
  }

  async #readAgain({ files }: Tree, paths: readonly string[]): Promise<ReadonlyMap<string, FileState>> {
    const read = new Map(this.#files);
    for (const path of paths) {
      if (files.has(path)) read.set(path, await readAndParse(path, this.#files.get(path)));
      else read.delete(path);
    }
    return read;
  }

  /** Whether the files that were just read are as they were before. */
  async #isStill(tree: Tree): Promise<boolean> {
    const read = this.#changed(tree).filter((path) => tree.files.has(path));
    const states = await Promise.all(read.map(async (path) => look(path)));
    return read.every((path, index) => {
      const state = states[index];
      return typeof state === 'object' && sameStamp(stampOf(state), tree.files.get(path));
    });
  }

  #report(tree: Tree, files: ReadonlyMap<string, FileState>): void {
    const before = this.#files;
    const inPlace =
      tree.looked &&
      changeInPlace(
        this.#held,
        this.#changed(tree).map((path) => [path, before.get(path), files.get(path)]),
      );
    this.#files = files;
    if (inPlace === undefined) {
      const gathered = gather(files, this.#held);
      const changes = differences(this.#held, gathered.held);
      this.#tree = tree;
      this.#held = gathered.held;
      this.#diagnostics = gathered.diagnostics;
      this.#isAnyUnreadable = [...files.values()].some(({ unreadable }) => unreadable !== undefined);
      this.#options.onChange(changes, gathered.diagnostics);
    } else {
      this.#tree = tree;
      this.#options.onChange({ set: inPlace, deleted: [] }, this.#diagnostics);
    }
  }

  /** A watcher tells nothing of what it could not look at. */
  #lookAgainWhileHidden(): void {
    if (this.#tree.hidden.size === 0 || this.#stopped.signal.aborted) return;
    clearTimeout(this.#nextLook);
    this.#nextLook = setTimeout(() => this.wake(), RETRY_MS);
  }

  async #sleep(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#stopped.signal });
  }
}

function pairOf<T>(path: string, value: T | undefined): [string, T][] {
  return value === undefined ? [] : [[path, value]];
}

function isBelow(file: string, folder: string): boolean {
  const way = relative(folder, file);
  return way !== '' && way.split('/')[0] !== '..';
}

function together(a: Scope, b: Scope): Scope {
  return a === 'everything' || b === 'everything' ? 'everything' : new Set([...a, ...b]);
}

/** Where they may differ. */
function pathsOf(a: Tree, b: Tree): Iterable<string> {
  if (b.looked !== undefined) return b.looked;
  return new Set([a, b].flatMap(({ files, hidden }) => [...files.keys(), ...hidden.keys()]));
}

function sameTree(a: Tree, b: Tree): boolean {
  if (a.looked !== undefined && b.looked !== undefined)
    return [...a.looked, ...b.looked].every((path) => sameStamp(a.files.get(path), b.files.get(path)));
  return (
    a.files.size === b.files.size &&
    a.hidden.size === b.hidden.size &&
    [...a.files].every(([path, stamp]) => sameStamp(stamp, b.files.get(path)))
  );
}
