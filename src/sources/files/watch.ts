/**
 * Follows files of objects: reads them once, then reports what changes.
 */
import { watch as watchFolder } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';

import type { Happening } from './due.ts';
import { FolderWatcher } from './folder-watcher.ts';
import { Follower, type WatchOptions } from './follower.ts';
import type { Held } from './gather.ts';
import { checkPaths } from './tree.ts';

export interface FilesSource {
  /** The objects in force, with the files that they came from. */
  held(): ReadonlyMap<string, Held>;
  close(): Promise<void>;
}

/** Resolves after everything was reported once; fails with one line where a path is not there. */
export async function watchFiles(paths: readonly string[], options: WatchOptions): Promise<FilesSource> {
  if (paths.includes('-')) throw new Error("standard input can't be watched; give a file or a folder");
  await checkPaths(paths);
  const follower: Follower = new Follower(paths, {
    ...options,
    onFound: (path) => void watcher.renew(path).then(() => follower.wake(), tellError),
  });
  const tellError = (error: unknown): void =>
    options.log.error(`watching files: ${error instanceof Error ? error.message : String(error)}`);

  // The watcher first: what changes while the files are read must not be missed.
  const onEvent = (path: string, happening: Happening): void => follower.wake(path, happening);
  const watcher = new FolderWatcher({ onEvent, onError: tellError });
  for (const path of paths) await watcher.add(path);

  // A given path that is replaced as a whole (a link to another folder, a folder made anew) is another inode, which the
  // watcher does not look for: begin again with it.
  const parents = paths.map((path) => {
    const name = basename(resolve(path));
    const parent = watchFolder(dirname(resolve(path)), (event, changed) => {
      if (event !== 'rename' || changed !== name) return;
      watcher.renew(path).then(() => follower.wake(), tellError);
    });
    return parent.on('error', tellError);
  });
  const close = async (): Promise<void> => {
    follower.stop();
    for (const parent of parents) parent.close();
    watcher.close();
  };
  try {
    await follower.readAll();
  } catch (error) {
    await close();
    throw error;
  }
  return { held: () => follower.held(), close };
}
