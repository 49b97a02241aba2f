/**
 * Which files the given paths name, in the order in which they are read.
 */
import { lstat, readdir, realpath, stat } from 'node:fs/promises';
import { basename, join, relative, resolve } from 'node:path';

import type { Stats } from 'node:fs';

const EXTENSIONS = ['.yaml', '.yml', '.json'];

/** How a file was when it was looked at; two equal stamps mean that nobody wrote to it. */
export interface Stamp {
  readonly size: number;
  readonly mtimeMs: number;
  readonly inode: number;
}

export interface Tree {
  /** By path, in order. */
  readonly files: ReadonlyMap<string, Stamp>;
  /** Paths that were given and are not there, and what can't be looked at: each with a clause that says so. */
  readonly hidden: ReadonlyMap<string, string>;
  /** Links are on the way to some of them: what they lead to may become another where nobody looks. */
  readonly isLinked: boolean;
}

/** What may work a moment later (too many open files, a network that stutters); all else stays as it is. */
const PASSING = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN', 'EIO', 'ESTALE', 'ETIMEDOUT']);

/** Fails where the machine is at its limit: to take the files for absent would delete their objects. */
export async function listFiles(paths: readonly string[]): Promise<Tree> {
  const files = new Map<string, Stamp>();
  const hidden = new Map<string, string>();
  const found = { files, hidden, isLinked: false };
  for (const path of paths) {
    found.isLinked ||= await isLinked(path);
    const state = await look(path);
    if (state === undefined) hidden.set(path, MISSING);
    else if (typeof state === 'string') hidden.set(path, state);
    else if (state.isDirectory()) await listFolder(path, found, new Set([identityOf(state)]));
    else if (state.isFile()) files.set(path, stampOf(state));
    else hidden.set(path, UNFOLLOWED);
  }
  return { ...found, files: onceEach(files) };
}

/** Whether the path, or a folder above it, is a link. */
export async function isLinked(path: string): Promise<boolean> {
  const real = await orProblem(realpath(path));
  return real !== undefined && real !== resolve(path);
}

export const MISSING = 'there is no such file or folder';

/** Opening a pipe waits for somebody who writes, for ever where nobody does. */
export const UNFOLLOWED = 'it is a pipe, a socket or a device';

/** It may be a file of objects, or a folder of them, that is not there now: what it held must not go without a word. */
export const DANGLING = 'it is a link that leads nowhere';

/** The system takes any bytes for a name; Node can't ask for it by what it makes of them. */
export const MISNAMED = 'its name is not UTF-8';

export function unreadableFor(code: string): string {
  // It went while it was being read.
  if (code === 'ENOENT') return MISSING;
  return `it can't be read (${code})`;
}

/** Fails with one line where a path that was given is not there. */
export async function checkPaths(paths: readonly string[]): Promise<void> {
  const { hidden } = await listFiles(paths);
  for (const path of paths) {
    const problem = hidden.get(path);
    if (problem === undefined) continue;
    throw new Error(
      `${path === '' ? '""' : path}: ${problem}; give the path of a YAML or JSON file, or of a folder of them`,
    );
  }
}

export function isObjectFile(path: string): boolean {
  return EXTENSIONS.some((extension) => path.endsWith(extension));
}

/** As one folder that was given lists them. */
export function inOrder<V>(files: ReadonlyMap<string, V>): Map<string, V> {
  const withParts = Array.from(files, (entry) => ({ entry, parts: entry[0].split('/') }));
  withParts.sort(({ parts: a }, { parts: b }) => {
    const at = a.findIndex((part, index) => part !== b[index]);
    return (a[at] ?? '') < (b[at] ?? '') ? -1 : 1;
  });
  return new Map(withParts.map(({ entry }) => entry));
}

export function isBelow(file: string, folder: string): boolean {
  const way = relative(folder, file);
  return way !== '' && way.split('/')[0] !== '..';
}

/** Whether the file would be one of the objects' that these paths, files and folders, lead to. */
export function isReadWith(file: string, paths: readonly string[]): boolean {
  return paths.some((path) => relative(path, file) === '' || (isObjectFile(file) && isBelow(file, path)));
}

export function sameStamp(a: Stamp | undefined, b: Stamp | undefined): boolean {
  return a?.size === b?.size && a?.mtimeMs === b?.mtimeMs && a?.inode === b?.inode;
}

export function stampOf({ size, mtimeMs, ino }: Stats): Stamp {
  return { size, mtimeMs, inode: ino };
}

/** Follows links; undefined where there is nothing; a text: why it is hidden. */
export async function look(path: string): Promise<Stats | string | undefined> {
  const state = await orProblem(stat(path));
  if (state !== undefined || !mayLeadToObjects(basename(path))) return state;
  const link = await orProblem(lstat(path));
  // What is put there meanwhile is no link that leads nowhere.
  return typeof link === 'object' && link.isSymbolicLink() ? DANGLING : link;
}

/** As far as the name tells. Emacs notes in a link to nowhere (`.#a.yaml`) who edits a file. */
function mayLeadToObjects(name: string): boolean {
  return !name.startsWith('.') && (isObjectFile(name) || !name.includes('.'));
}

/** Symbolic links are followed; `..data` and its like are what a mounted ConfigMap's links point into. */
async function listFolder(
  folder: string,
  found: { readonly files: Map<string, Stamp>; readonly hidden: Map<string, string>; isLinked: boolean },
  above: ReadonlySet<string>,
): Promise<void> {
  const listed = (await orProblem(readdir(folder, { withFileTypes: true }))) ?? [];
  if (typeof listed === 'string') {
    found.hidden.set(folder, listed);
    return;
  }
  const entries = listed.filter(({ name }) => !name.startsWith('..'));
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  found.isLinked ||= entries.some((entry) => entry.isSymbolicLink());
  // All at once: for ten thousand files 0.1 s instead of 0.4 (measured).
  const states = await Promise.all(entries.map(({ name }) => look(join(folder, name))));
  for (const [index, entry] of entries.entries()) {
    const { name } = entry;
    const path = join(folder, name);
    const state = states[index];
    if (typeof state === 'string') {
      found.hidden.set(path, state);
    } else if (state?.isDirectory() === true) {
      // A link to a folder around itself would go on for ever.
      const identity = identityOf(state);
      if (!above.has(identity)) await listFolder(path, found, new Set([...above, identity]));
    } else if (state?.isFile() === true && isObjectFile(name)) {
      found.files.set(path, stampOf(state));
    } else if (
      state === undefined &&
      name.includes('\ufffd') &&
      (entry.isDirectory() || isObjectFile(name))
    ) {
      found.hidden.set(path, MISNAMED);
    }
  }
}

function identityOf({ dev, ino }: Stats): string {
  return `${dev} ${ino}`;
}

async function orProblem<T>(looking: Promise<T>): Promise<T | string | undefined> {
  try {
    return await looking;
  } catch (error) {
    const code = codeOf(error);
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP') return undefined;
    return unreadableFor(code);
  }
}

/** The system's word for what went wrong; throws what is not the system's, or may pass. */
export function codeOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (typeof code !== 'string' || PASSING.has(code)) throw error;
  return code;
}

/** `--config DIR --config DIR/a.yaml` names a file twice; it holds its objects once. */
function onceEach(files: ReadonlyMap<string, Stamp>): ReadonlyMap<string, Stamp> {
  const seen = new Set<string>();
  return new Map(
    [...files].filter(([path]) => {
      const full = resolve(path);
      return !seen.has(full) && seen.add(full);
    }),
  );
}
