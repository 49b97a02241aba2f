/**
 * Which files the given paths name, in the order in which they are read.
 */
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

const EXTENSIONS = ['.yaml', '.yml', '.json'];

/** How a file was when it was looked at; two equal stamps mean that nobody wrote to it. */
export interface Stamp {
  readonly size: number;
  readonly mtimeMs: number;
  readonly inode: number;
}

/** Fails with one line where a path that was given is not there. */
export async function listFiles(paths: readonly string[]): Promise<ReadonlyMap<string, Stamp>> {
  const found = new Map<string, Stamp>();
  for (const path of paths) {
    const state = await stat(path).catch((error: NodeJS.ErrnoException) => {
      const why =
        error.code === 'ENOENT' ? 'there is no such file or folder' : `it can't be read (${error.code})`;
      throw new Error(`${path}: ${why}; give the path of a YAML or JSON file, or of a folder of them`);
    });
    if (state.isDirectory()) await listFolder(path, found, new Set());
    else found.set(path, stampOf(state));
  }
  return found;
}

export function sameStamp(a: Stamp | undefined, b: Stamp | undefined): boolean {
  return a?.size === b?.size && a?.mtimeMs === b?.mtimeMs && a?.inode === b?.inode;
}

/** Symbolic links are followed; `..data` and its like are what a mounted ConfigMap's links point into. */
async function listFolder(
  folder: string,
  found: Map<string, Stamp>,
  above: ReadonlySet<string>,
): Promise<void> {
  const names = (await readdir(folder).catch((): string[] => []))
    .filter((name) => !name.startsWith('..'))
    .sort();
  for (const name of names) {
    const path = join(folder, name);
    const state = await stat(path).catch(() => undefined);
    if (state === undefined) continue;
    if (state.isDirectory()) {
      // A link to a folder around itself would go on for ever.
      const identity = `${state.dev} ${state.ino}`;
      if (!above.has(identity)) await listFolder(path, found, new Set([...above, identity]));
    } else if (EXTENSIONS.some((extension) => name.endsWith(extension))) {
      found.set(path, stampOf(state));
    }
  }
}

function stampOf({ size, mtimeMs, ino }: { size: number; mtimeMs: number; ino: number }): Stamp {
  return { size, mtimeMs, inode: ino };
}
