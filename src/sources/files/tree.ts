/**
 * Which files the given paths name, in the order in which they are read.
 */
import { readdir, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';

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
  /** Paths that were given and are not there. */
  readonly missing: readonly string[];
}

/** Fails where something can't be looked at: to take it for absent would delete its objects. */
export async function listFiles(paths: readonly string[]): Promise<Tree> {
  const files = new Map<string, Stamp>();
  const missing: string[] = [];
  for (const path of paths) {
    const state = await look(path);
    if (state === undefined) missing.push(path);
    else if (state.isDirectory()) await listFolder(path, files, new Set([identityOf(state)]));
    else files.set(path, stampOf(state));
  }
  return { files: onceEach(files), missing };
}

/** A path that was given: the line that says it is not there. */
export function missingPath(path: string): string {
  return `${path}: there is no such file or folder; give the path of a YAML or JSON file, or of a folder of them`;
}

export function isObjectFile(path: string): boolean {
  return EXTENSIONS.some((extension) => path.endsWith(extension));
}

export function sameStamp(a: Stamp | undefined, b: Stamp | undefined): boolean {
  return a?.size === b?.size && a?.mtimeMs === b?.mtimeMs && a?.inode === b?.inode;
}

export function stampOf({ size, mtimeMs, ino }: Stats): Stamp {
  return { size, mtimeMs, inode: ino };
}

/** Follows links; undefined where there is nothing, as behind a link whose target went. */
export async function look(path: string): Promise<Stats | undefined> {
  return unlessAbsent(path, stat(path));
}

/** Symbolic links are followed; `..data` and its like are what a mounted ConfigMap's links point into. */
async function listFolder(
  folder: string,
  found: Map<string, Stamp>,
  above: ReadonlySet<string>,
): Promise<void> {
  const listed = (await unlessAbsent(folder, readdir(folder))) ?? [];
  const names = listed.filter((name) => !name.startsWith('..')).sort();
  // All at once: for ten thousand files 0.1 s instead of 0.4 (measured).
  const states = await Promise.all(names.map((name) => look(join(folder, name))));
  for (const [index, name] of names.entries()) {
    const path = join(folder, name);
    const state = states[index];
    if (state?.isDirectory() === true) {
      // A link to a folder around itself would go on for ever.
      const identity = identityOf(state);
      if (!above.has(identity)) await listFolder(path, found, new Set([...above, identity]));
    } else if (state !== undefined && isObjectFile(name)) {
      found.set(path, stampOf(state));
    }
  }
}

function identityOf({ dev, ino }: Stats): string {
  return `${dev} ${ino}`;
}

async function unlessAbsent<T>(path: string, looking: Promise<T>): Promise<T | undefined> {
  try {
    return await looking;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP') return undefined;
    throw new Error(`${path}: it can't be read (${code}); check its permissions`, { cause: error });
  }
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
