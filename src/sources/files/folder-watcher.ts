/**
 * Says that something happened to a file, in given folders and all below them, or to a given file.
 *
 * One watch for each folder, and one for each link to a file, whose target lies elsewhere. A library that tells what
 * happened looks at every file of a folder after each event (chokidar 5: 300 ms of processor time for one edit among
 * 10,000 files); here nobody needs to be told that, since the files themselves are read.
 */
import { type FSWatcher, watch } from 'node:fs';
import { lstat, readdir, stat } from 'node:fs/promises';
import { basename, dirname, join, sep } from 'node:path';

import type { Happening } from './due.ts';

export interface FolderWatcherOptions {
  /** Something happened to the path, or below it. */
  readonly onEvent: (path: string, happening: Happening) => void;
  readonly onError: (error: unknown) => void;
}

export class FolderWatcher {
  readonly #options: FolderWatcherOptions;
  readonly #watchers = new Map<string, FSWatcher>();
  #isClosed = false;

  constructor(options: FolderWatcherOptions) {
    this.#options = options;
  }

  /** Resolves once everything that is there is watched; `above` are the folders that it lies in. */
  async add(path: string, above: ReadonlySet<string> = new Set()): Promise<void> {
    const state = await stat(path).catch(() => undefined);
    if (state === undefined || this.#isClosed) return;
    // Also a link to a folder around itself is a folder.
    const identity = `${state.dev} ${state.ino}`;
    if (above.has(identity)) return;
    this.#watch(path, state.isDirectory());
    if (!state.isDirectory()) return;
    const entries = await readdir(path, { withFileTypes: true }).catch(() => []);
    const below = new Set([...above, identity]);
    for (const entry of entries) {
      // What `..data` and its like hold is reached through the links beside them.
      if (entry.name.startsWith('..') || entry.isFile()) continue;
      await this.add(join(path, entry.name), below);
    }
  }

  /** What was watched there is another now. */
  async renew(path: string): Promise<void> {
    this.#drop(path);
    await this.add(path);
  }

  close(): void {
    this.#isClosed = true;
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  #watch(path: string, isFolder: boolean): void {
    if (this.#watchers.has(path)) return;
    try {
      const watcher = watch(path, (event, name) => {
        if (isFolder && name !== null) this.#happened(event, join(path, name));
        else this.#options.onEvent(path, 'other');
      });
      watcher.on('error', (error) => {
        this.#drop(path);
        this.#options.onError(error);
      });
      this.#watchers.set(path, watcher);
    } catch (error) {
      this.#options.onError(error);
    }
  }

  #happened(event: string, path: string): void {
    this.#options.onEvent(path, event === 'rename' ? 'put' : 'other');
    // A change within a file, or of its times, makes nothing new to watch.
    if (event !== 'rename') return;
    this.#follow(path).catch((error: unknown) => this.#options.onError(error));
  }

  /** Something came, went or was replaced. */
  async #follow(path: string): Promise<void> {
    const state = await lstat(path).catch(() => undefined);
    if (state === undefined || (!state.isDirectory() && !state.isSymbolicLink())) {
      this.#drop(path);
      return;
    }
    // Where a hidden link is swapped, all links that lead through it lead elsewhere.
    await this.renew(basename(path).startsWith('..') ? dirname(path) : path);
    // What was put there before it was watched.
    this.#options.onEvent(path, 'other');
  }

  #drop(path: string): void {
    for (const [watched, watcher] of this.#watchers) {
      if (watched !== path && !watched.startsWith(`${path}${sep}`)) continue;
      watcher.close();
      this.#watchers.delete(watched);
    }
  }
}
