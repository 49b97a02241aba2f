/**
 * Follows files of objects: reads them once, then reports what changes.
 */
import { watch as watchFolder } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { watch } from 'chokidar';

import { Follower, type WatchOptions } from './follower.ts';
import { checkPaths } from './tree.ts';

/** Time to take up the files beside one that can't be watched. */
const AFTER_ERROR_MS = 1_000;

export interface FilesSource {
  close(): Promise<void>;
}

/** Resolves after everything was reported once; fails with one line where a path is not there. */
export async function watchFiles(paths: readonly string[], options: WatchOptions): Promise<FilesSource> {
  if (paths.includes('-')) throw new Error("standard input can't be watched; give a file or a folder");
  await checkPaths(paths);
  const follower = new Follower(paths, options);
  const tellError = (error: unknown): void =>
    options.log.error(`watching files: ${error instanceof Error ? error.message : String(error)}`);

  // The watcher first: what changes while the files are read must not be missed.
  const watcher = watch([...paths], { ignoreInitial: true, atomic: false, followSymlinks: true });
  watcher.on('error', tellError);
  // After an error chokidar may never be ready; what it watches by then it watches all the same.
  const ready = new Promise<void>((done) => watcher.once('ready', () => done()));
  const failed = new Promise<void>((done) => watcher.once('error', () => done()));
  await Promise.race([ready, failed.then(() => sleep(AFTER_ERROR_MS))]);
  watcher.on('all', (_event, path) => follower.wake(path));
  // What `all` leaves out: the swap of a link that others point through, as `..data` of a mounted ConfigMap.
  watcher.on('raw', (_event, name, details) => {
    const { watchedPath } = details as { readonly watchedPath: string };
    follower.wake(basename(watchedPath) === name ? watchedPath : join(watchedPath, name));
  });

  // A given path that is replaced as a whole (a link to another folder, a folder made anew) is another inode, which the
  // watcher does not look for: begin again with it.
  const parents = paths.map((path) => {
    const name = basename(resolve(path));
    const parent = watchFolder(dirname(resolve(path)), (event, changed) => {
      if (event !== 'rename' || changed !== name) return;
      watcher.unwatch(path);
      watcher.add(path);
      follower.wake();
    });
    return parent.on('error', tellError);
  });
  const close = async (): Promise<void> => {
    follower.stop();
    for (const parent of parents) parent.close();
    await watcher.close();
  };
  try {
    await follower.readAll();
  } catch (error) {
    await close();
    throw error;
  }
  return { close };
}
