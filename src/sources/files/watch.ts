/**
 * Follows files of objects: reads them once, then reports what changes.
 *
 * The watcher only says that something happened. What happened is read from the files themselves, once they have come to
 * rest: a half-written file must not remove objects.
 */
import { setTimeout as sleep } from 'node:timers/promises';

import { watch } from 'chokidar';

import type { Diagnostic } from '../../api/diagnostic.ts';
import type { ObjectChanges } from '../../world/world.ts';
import { differences, gather, type FileState, type Held } from './gather.ts';
import { readAndParse } from './read.ts';
import { listFiles, sameStamp, type Stamp } from './tree.ts';

/** Two looks at the files this far apart must see the same. A write of some kilobytes takes well under it. */
const REST_MS = 20;

/** An editor that truncates and writes, or removes and renames, leaves a file empty or absent for a moment. */
const EMPTY_REST_MS = 120;

/** A file that somebody writes to without end is read as it is after this time. */
const PATIENCE_MS = 2_000;

export interface FilesSource {
  close(): Promise<void>;
}

export interface WatchOptions {
  /** First with everything, then with each change; `diagnostics` are all that hold now. */
  readonly onChange: (changes: ObjectChanges, diagnostics: readonly Diagnostic[]) => void;
  readonly log: { error(message: string): void };
}

/** Resolves after everything was reported once; fails with one line where a path is not there. */
export async function watchFiles(paths: readonly string[], options: WatchOptions): Promise<FilesSource> {
  if (paths.includes('-')) throw new Error("standard input can't be watched; give a file or a folder");
  const follower = new Follower(paths, options);
  // The watcher first: what changes while the files are read must not be missed.
  const watcher = watch([...paths], { ignoreInitial: true, atomic: false, followSymlinks: true });
  await new Promise<void>((resolve) => watcher.once('ready', () => resolve()));
  watcher.on('all', () => follower.wake());
  watcher.on('raw', () => follower.wake());
  watcher.on('error', (error) =>
    options.log.error(`watching files: ${error instanceof Error ? error.message : String(error)}`),
  );
  try {
    await follower.readAll();
  } catch (error) {
    await watcher.close();
    throw error;
  }
  return {
    close: async () => {
      follower.stop();
      await watcher.close();
    },
  };
}

class Follower {
  readonly #paths: readonly string[];
  readonly #options: WatchOptions;
  #stamps: ReadonlyMap<string, Stamp> = new Map();
  #files: ReadonlyMap<string, FileState> = new Map();
  #held: ReadonlyMap<string, Held> = new Map();
  #isAwake = false;
  #isDue = false;
  #isStopped = false;

  constructor(paths: readonly string[], options: WatchOptions) {
    this.#paths = paths;
    this.#options = options;
  }

  async readAll(): Promise<void> {
    await this.#take(await listFiles(this.#paths));
  }

  /** Something happened: look until everything has come to rest. */
  wake(): void {
    this.#isDue = true;
    if (this.#isAwake || this.#isStopped) return;
    this.#isAwake = true;
    this.#follow()
      .catch((error: unknown) =>
        this.#options.log.error(error instanceof Error ? error.message : String(error)),
      )
      .finally(() => {
        this.#isAwake = false;
      });
  }

  stop(): void {
    this.#isStopped = true;
  }

  async #follow(): Promise<void> {
    while (this.#isDue && !this.#isStopped) {
      this.#isDue = false;
      const stamps = await this.#restingStamps();
      if (stamps !== undefined && !this.#isStopped) await this.#take(stamps);
    }
  }

  /** undefined where nothing is different from what was read last. */
  async #restingStamps(): Promise<ReadonlyMap<string, Stamp> | undefined> {
    const deadline = Date.now() + PATIENCE_MS;
    let before = await listFiles(this.#paths);
    if (this.#changed(before).length === 0) return undefined;
    let since = Date.now();
    for (;;) {
      await sleep(REST_MS);
      const now = await listFiles(this.#paths);
      if (!sameStamps(before, now)) since = Date.now();
      before = now;
      const restMs = this.#changed(now).some((path) => (now.get(path)?.size ?? 0) === 0)
        ? EMPTY_REST_MS
        : REST_MS;
      if (Date.now() - since >= restMs || Date.now() > deadline) return now;
    }
  }

  /** Files that came, went or were written to since they were read. */
  #changed(now: ReadonlyMap<string, Stamp>): readonly string[] {
    const all = new Set([...this.#stamps.keys(), ...now.keys()]);
    return [...all].filter((path) => !sameStamp(this.#stamps.get(path), now.get(path)));
  }

  async #take(stamps: ReadonlyMap<string, Stamp>): Promise<void> {
    const files = new Map<string, FileState>();
    for (const [path, stamp] of stamps) {
      const known = this.#files.get(path);
      const isKnown = known !== undefined && sameStamp(stamp, this.#stamps.get(path));
      files.set(path, isKnown ? known : await readAndParse(path, known));
    }
    const gathered = gather(files, this.#held);
    const changes = differences(this.#held, gathered.held);
    this.#stamps = stamps;
    this.#files = files;
    this.#held = gathered.held;
    this.#options.onChange(changes, gathered.diagnostics);
  }
}

function sameStamps(a: ReadonlyMap<string, Stamp>, b: ReadonlyMap<string, Stamp>): boolean {
  return a.size === b.size && [...a].every(([path, stamp]) => sameStamp(stamp, b.get(path)));
}
