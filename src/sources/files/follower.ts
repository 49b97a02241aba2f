/**
 * What the files were when they were last read, and what has changed since.
 *
 * The watcher only says that something happened. What happened is read from the files themselves, once they have come to
 * rest: a half-written file must not remove objects.
 */
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';

import type { Diagnostic } from '../../api/diagnostic.ts';
import type { ObjectChanges } from '../../world/world.ts';
import { Due, type Happening } from './due.ts';
import { changeInPlace, differences, gather, type FileState, type Held } from './gather.ts';
import { KnownFiles, putInto, type Look } from './known-files.ts';
import { EMPTY, readAndParse, unreadable } from './read.ts';
import { inOrder, isBelow, look, sameStamp, stampOf } from './tree.ts';

/** Two looks at the files this far apart must see the same. A write of some kilobytes takes well under it. */
const REST_MS = 20;

/** An editor that truncates and writes, or removes and renames, leaves a file empty or absent for a moment. */
const EMPTY_REST_MS = 120;

/** Of changes that follow each other faster than this only the first is reported alone; the others are gathered. */
const SERIES_MS = 100;

/**
 * After a look that failed (too many open files), and where a path is hidden, or reached by a link: nothing may ever be told
 * of it again.
 */
const RETRY_MS = 1_000;
/** Looks at many files, for what may stay so for ever, take this part of the time at most. */
const LOOKING = 1 / 30;

export interface WatchOptions {
  /** First with everything, then with each change; `diagnostics` are all that hold now. */
  readonly onChange: (changes: ObjectChanges, diagnostics: readonly Diagnostic[]) => void;
  readonly log: { error(message: string): void };
  /** In force before a restart: what can't be read now stays as it was. */
  readonly remembered?: ReadonlyMap<string, Held>;
  /** A file that somebody writes to without end is read as it is after this time; 2 s where it is not given. */
  readonly patienceMs?: number;
}

export interface FollowerOptions extends WatchOptions {
  /** What was hidden is there: nobody has been watching it. */
  readonly onFound: (path: string) => void;
}

const PATIENCE_MS = 2_000;

/** What has been read: all files, or what became of some; undefined: gone. */
type Reading =
  | { readonly kind: 'everything'; readonly files: Map<string, FileState> }
  | { readonly kind: 'some'; readonly files: ReadonlyMap<string, FileState | undefined> };

export class Follower {
  readonly #options: FollowerOptions;
  readonly #patienceMs: number;
  readonly #stopped = new AbortController();
  readonly #paths: readonly string[];
  readonly #known: KnownFiles;
  #files = new Map<string, FileState>();
  #isInOrder = true;
  #held: Map<string, Held>;
  #hasBegun = false;
  #diagnostics: readonly Diagnostic[] = [];
  /** Then it is tried again with every change. */
  #isAnyUnreadable = false;
  #due = new Due();
  #reportedMs = 0;
  /** At first until everything was read: what is told before that is looked at behind it. */
  #isBusy = true;
  #nextLook: NodeJS.Timeout | undefined;
  /** What the last look took. */
  #lookMs = 0;

  constructor(paths: readonly string[], options: FollowerOptions) {
    this.#paths = paths;
    this.#known = new KnownFiles(paths);
    this.#options = options;
    this.#held = new Map(options.remembered);
    this.#patienceMs = options.patienceMs ?? PATIENCE_MS;
  }

  /** Reports everything there is. */
  async readAll(): Promise<void> {
    try {
      const deadline = Date.now() + this.#patienceMs;
      for (;;) {
        // Before the reading: that it takes long itself is no reason to be content with what was just being written.
        const isLate = Date.now() > deadline;
        const now = await this.#known.look('everything');
        const reading = await this.#read(now);
        if (isLate || (await this.#isStill(now))) {
          this.#report(now, reading);
          break;
        }
      }
    } finally {
      this.#isBusy = false;
    }
    this.#follow();
  }

  /** Something happened to a file, or somewhere: look until everything has come to rest. */
  wake(path?: string, happening: Happening = 'other'): void {
    this.#due.add(path, happening);
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
        this.#lookAgainUntold();
      });
  }

  async #catchUp(): Promise<void> {
    let told: string | undefined;
    while (!this.#due.isEmpty && !this.#stopped.signal.aborted) {
      try {
        await this.#settle();
        told = undefined;
      } catch (error) {
        if (this.#stopped.signal.aborted) return;
        const message = error instanceof Error ? error.message : String(error);
        if (message !== told) this.#options.log.error(message);
        told = message;
        this.#due.add(undefined, 'other');
        await this.#sleep(RETRY_MS);
      }
    }
  }

  async #settle(): Promise<void> {
    const deadline = Date.now() + this.#patienceMs;
    const due = this.#takeDue();
    const begun = performance.now();
    let before = await this.#known.look(due.scope);
    this.#lookMs = performance.now() - begun;
    if (this.#known.changed(before).length === 0) return;
    const isFirst = Date.now() - this.#reportedMs > SERIES_MS;
    if (isFirst && (await this.#wasPut(due, before))) {
      const reading = await this.#read(before);
      if (await this.#isStill(before)) {
        if (!this.#stopped.signal.aborted) this.#report(before, reading);
        return;
      }
    }
    let since = Date.now();
    let alike = 0;
    for (;;) {
      await this.#sleep(REST_MS);
      due.addAll(this.#takeDue());
      const now = await this.#known.look(due.scope);
      alike = this.#known.isSame(before, now) ? alike + 1 : 0;
      if (alike === 0) since = Date.now();
      before = now;
      const isEmpty = this.#known.changed(now).some((path) => sizeIn(now, path) === 0);
      const isLate = Date.now() > deadline;
      const restMs = isEmpty ? EMPTY_REST_MS : REST_MS;
      // By looks as well as by the clock: who was held up himself has seen nothing rest meanwhile.
      if (!isLate && (alike < restMs / REST_MS || Date.now() - since < restMs)) continue;
      const reading = await this.#read(now);
      // Somebody may have begun to write between the last look and the reading.
      if (isLate || (await this.#isStill(now))) {
        if (!this.#stopped.signal.aborted) this.#report(now, reading);
        return;
      }
      since = Date.now();
      alike = 0;
    }
  }

  #takeDue(): Due {
    const due = this.#due;
    this.#due = new Due();
    return due;
  }

  /**
   * Whether every change is a file that was written elsewhere and renamed to where it is: it is whole. Linux tells that by
   * a single event; whoever removes, makes or writes a file where it is causes another before there is anything in it,
   * and what was caused before the look is told within a turn of the event loop.
   */
  async #wasPut(due: Due, now: Look): Promise<boolean> {
    if (process.platform !== 'linux' || now.kind !== 'some') return false;
    const changed = this.#known.changed(now);
    const isPut = (path: string): boolean =>
      due.happening(path) === 'put' &&
      sizeIn(now, path) > 0 &&
      now.stamps.get(path)?.inode !== this.#known.stamp(path)?.inode;
    if (!changed.every(isPut)) return false;
    await nextTurn();
    await nextTurn();
    return !changed.some((path) => this.#due.has(path));
  }

  async #read(now: Look): Promise<Reading> {
    if (now.kind === 'some' && !this.#known.isAnyHidden && !this.#isAnyUnreadable) {
      const again = new Map<string, FileState | undefined>();
      for (const path of this.#known.changed(now)) {
        const isThere = now.stamps.get(path) !== undefined;
        again.set(path, isThere ? await readAndParse(path, this.#files.get(path)) : undefined);
      }
      return { kind: 'some', files: again };
    }
    this.#restoreOrder();
    const { files, hidden } = this.#known.whole(now);
    const read = new Map<string, FileState>();
    for (const [path, stamp] of files) {
      const known = this.#files.get(path);
      const isKnown = known?.unreadable === undefined && sameStamp(stamp, this.#known.stamp(path));
      read.set(path, known !== undefined && isKnown ? known : await readAndParse(path, known));
    }
    // Redpilot would not start without a path that it was given, so its absence is a mistake, not an order to delete.
    for (const [path, problem] of hidden) {
      const below = [...this.#files].filter(([file]) => isBelow(file, path));
      for (const [file, known] of below) read.set(file, known);
      const before = this.#files.get(path);
      read.set(path, unreadable(path, problem, before, before !== undefined || below.length > 0));
    }
    // A folder that is mounted, or filled, a moment later than who reads it.
    if (!this.#hasBegun && this.#held.size > 0 && isNothing(read))
      for (const path of this.#paths) read.set(path, unreadable(path, EMPTY, undefined, true));
    if (hidden.size === 0) return { kind: 'everything', files: read };
    // What is hidden keeps its turn: of two objects of one name the first is in force.
    const order = new Set([...this.#files.keys(), ...read.keys()]);
    return { kind: 'everything', files: new Map([...order].flatMap((path) => pairOf(path, read.get(path)))) };
  }

  /** Whether the files that were just read, or missed, are as they were before. */
  async #isStill(now: Look): Promise<boolean> {
    const files = now.kind === 'some' ? now.stamps : now.tree.files;
    const isFile = (path: string): boolean => (files.get(path) ?? this.#known.stamp(path)) !== undefined;
    const changed = this.#known.changed(now).filter(isFile);
    const states = await Promise.all(changed.map(async (path) => look(path)));
    return changed.every((path, index) => {
      const state = states[index];
      const stamp = typeof state === 'object' && state.isFile() ? stampOf(state) : undefined;
      return sameStamp(stamp, files.get(path));
    });
  }

  #report(now: Look, reading: Reading): void {
    const inPlace =
      reading.kind === 'some'
        ? changeInPlace(
            this.#held,
            Array.from(reading.files, ([path, after]) => [path, this.#files.get(path), after]),
            this.#diagnostics.length === 0,
          )
        : undefined;
    if (reading.kind === 'everything') this.#files = reading.files;
    else {
      this.#isInOrder &&= [...reading.files.keys()].every((path) => this.#files.has(path));
      putInto(this.#files, reading.files);
    }
    const found = this.#known.found(now);
    this.#known.take(now);
    for (const path of found) this.#options.onFound(path);
    this.#reportedMs = Date.now();
    if (inPlace !== undefined) {
      this.#options.onChange(inPlace, this.#diagnostics);
      return;
    }
    this.#restoreOrder();
    const gathered = gather(this.#files, this.#held);
    if (!this.#hasBegun) this.#begin(gathered.held);
    const changes = differences(this.#held, gathered.held);
    this.#held = gathered.held;
    this.#diagnostics = gathered.diagnostics;
    this.#isAnyUnreadable = [...this.#files.values()].some(({ unreadable }) => unreadable !== undefined);
    this.#options.onChange(changes, gathered.diagnostics);
  }

  /**
   * First what was in force before a restart, with the Secrets that there are: so it is decided anew, as if there had been no
   * restart, whether what there is now takes its place.
   */
  #begin(now: ReadonlyMap<string, Held>): void {
    this.#hasBegun = true;
    if (this.#held.size === 0) return;
    const secrets = [...now].filter(([, { object }]) => object.kind === 'Secret');
    this.#held = new Map([...this.#held, ...secrets]);
    this.#options.onChange({ set: Array.from(this.#held.values(), ({ object }) => object), deleted: [] }, []);
  }

  /** In force, with the files that they came from. */
  held(): ReadonlyMap<string, Held> {
    return this.#held;
  }

  /** Files that came one by one stand at the end; that is done for one given path only. */
  #restoreOrder(): void {
    if (!this.#isInOrder) this.#files = inOrder(this.#files);
    this.#isInOrder = true;
  }

  /** A watcher tells nothing of what it could not look at, nor that a link on the way there leads elsewhere now. */
  #lookAgainUntold(): void {
    const { isAnyHidden, isAnyLinked } = this.#known;
    if ((!isAnyHidden && !isAnyLinked) || this.#stopped.signal.aborted) return;
    clearTimeout(this.#nextLook);
    this.#nextLook = setTimeout(() => this.wake(), Math.max(RETRY_MS, this.#lookMs / LOOKING));
  }

  async #sleep(ms: number): Promise<void> {
    await sleep(ms, undefined, { signal: this.#stopped.signal });
  }
}

function pairOf<T>(path: string, value: T | undefined): [string, T][] {
  return value === undefined ? [] : [[path, value]];
}

function isNothing(files: ReadonlyMap<string, FileState>): boolean {
  return [...files.values()].every(
    ({ documents, syntaxErrors, unreadable }) =>
      unreadable === undefined &&
      syntaxErrors.length === 0 &&
      documents.every(({ outcomes }) => outcomes.length === 0),
  );
}

/** 0 where it is gone. */
function sizeIn(now: Look, path: string): number {
  return (now.kind === 'some' ? now.stamps : now.tree.files).get(path)?.size ?? 0;
}
