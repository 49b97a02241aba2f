/**
 * Objects from files, and what of them survives a restart.
 */
import { parseObject } from '../api/parse.ts';
import type { WatchOptions } from '../sources/files/follower.ts';
import { keyOf, type Held } from '../sources/files/gather.ts';
import { readState, StateFile } from '../sources/files/state.ts';
import { watchFiles, type FilesSource } from '../sources/files/watch.ts';
import type { Remembered } from '../sources/kubernetes/memory.ts';
import { isOurs, remember } from '../sources/kubernetes/raw-objects.ts';

export interface RememberingFiles extends Pick<FilesSource, 'close'> {
  /** What is in force, or known of hosts, may be something else now. */
  changed(): void;
}

export interface RememberingOptions extends Pick<WatchOptions, 'onChange'> {
  readonly paths: readonly string[];
  /** undefined: nothing survives. */
  readonly statePath: string | undefined;
  /** In force in place of what there is now. */
  readonly bad: () => Remembered['objects'];
  readonly hosts: () => Pick<Remembered, 'modes' | 'generations'>;
  readonly onRemembered: (hosts: Pick<Remembered, 'modes' | 'generations'>) => void;
  readonly log: { error(message: string): void; warn(message: string): void };
}

/** Resolves after everything was reported once; fails with one line. */
export async function followFiles(options: RememberingOptions): Promise<RememberingFiles> {
  const { paths, statePath, bad, hosts, onRemembered, onChange, log } = options;
  if (statePath === undefined) return { ...(await watchFiles(paths, { onChange, log })), changed: () => {} };
  const before = await readState(statePath);
  if ('movedTo' in before)
    log.warn(
      `${statePath} can't be understood, and is ${before.movedTo} now: nothing is known of what was good before the restart`,
    );
  else onRemembered(before);
  const remembered = 'movedTo' in before ? new Map<string, Held>() : before.held;
  const files = await watchFiles(paths, { onChange, log, remembered });
  const state = new StateFile({
    path: statePath,
    state: () => ({ held: withGood(files.held(), bad()), ...hosts() }),
    log,
  });
  return {
    changed: () => state.changed(),
    close: async () => {
      await files.close();
      await state.close();
    },
  };
}

/** What is in force of an object that can't be carried out is what it was carried out with. */
function withGood(held: ReadonlyMap<string, Held>, good: Remembered['objects']): ReadonlyMap<string, Held> {
  if (good.length === 0) return held;
  const all = new Map(held);
  for (const raw of good) {
    const outcome = parseObject(raw, () => undefined);
    if (outcome.kind !== 'object') continue;
    if (isOurs(outcome.object)) remember(outcome.object, raw);
    const key = keyOf(outcome.object);
    all.set(key, { object: outcome.object, file: held.get(key)?.file ?? '' });
  }
  return all;
}
