/**
 * What must survive a restart of who follows files, in a file of its own: the objects in force and the files that they came
 * from, what hosts said of their mode, and for hosts whose servers were all replaced how often that was.
 *
 * Secrets are never in it, nor objects that hold a password themselves.
 */
import { readFile, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

import type { ApiObject } from '../../api/objects.ts';
import { parseObject } from '../../api/parse.ts';
import { parseMemory, type Remembered } from '../kubernetes/memory.ts';
import { isOurs, remember, storable } from '../kubernetes/raw-objects.ts';
import type { RawObject } from '../kubernetes/reflector.ts';
import { keyOf, type Held } from './gather.ts';

export interface State extends Pick<Remembered, 'modes' | 'generations'> {
  /** By `Kind/namespace/name`. */
  readonly held: ReadonlyMap<string, Held>;
}

export interface StateFileOptions {
  readonly path: string;
  readonly state: () => State;
  readonly log: { error(message: string): void };
}

/** From a change to the writing: what follows soon is one write with it. */
const GATHER_MS = 1_000;

/** From a writing that failed to the next. */
const RETRY_MS = 5_000;

export class StateFile {
  readonly #options: StateFileOptions;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();
  #written: string | undefined;
  /** Said once for as long as it is so. */
  #problem: string | undefined;
  #isClosed = false;

  constructor(options: StateFileOptions) {
    this.#options = options;
  }

  changed(): void {
    this.#writeIn(GATHER_MS);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#timer !== undefined) {
      clearTimeout(this.#timer);
      this.#write();
    }
    await this.#writing;
  }

  #writeIn(milliseconds: number): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#write();
    }, milliseconds);
  }

  #write(): void {
    const text = textOf(this.#options.state());
    if (text === this.#written) return;
    this.#written = text;
    this.#writing = this.#put(text, this.#writing);
  }

  async #put(text: string, before: Promise<void>): Promise<void> {
    await before;
    const { path } = this.#options;
    try {
      await writeFile(`${path}.new`, text, { mode: 0o600 });
      await rename(`${path}.new`, path);
      this.#problem = undefined;
    } catch (error) {
      this.#written = undefined;
      this.#tell(`--state ${path} can't be written (${whyOf(error)})`);
      if (!this.#isClosed) this.#writeIn(RETRY_MS);
    }
  }

  #tell(problem: string): void {
    if (problem === this.#problem) return;
    this.#problem = problem;
    const { path, log } = this.#options;
    const remedy = `mend that in ${dirname(path)}, or give another file`;
    log.error(`${problem}, so what must survive a restart is not stored; ${remedy}`);
  }
}

/**
 * Nothing where there is no such file yet. One that holds something else may be dear to somebody, so it is moved away before
 * anything is written: `movedTo`. Fails with one line where what it holds can't be known.
 */
export async function readState(path: string): Promise<State | { readonly movedTo: string }> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    const code = whyOf(error);
    if (code === 'ENOENT') return parseState({ objects: [] });
    const why = code === 'EISDIR' ? 'it is a folder' : `it can't be read (${code})`;
    throw new Error(`--state ${path}: ${why}; give the path of a file`, { cause: error });
  }
  try {
    return parseState(JSON.parse(text) as Written);
  } catch {
    const movedTo = `${path}.not-understood`;
    await rename(path, movedTo).catch((error: unknown) => {
      throw new Error(
        `--state ${path} holds something else, and can't be moved away (${whyOf(error)}); give another file`,
        { cause: error },
      );
    });
    return { movedTo };
  }
}

function whyOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return 'code' in error ? String(error.code) : error.message;
}

interface Written {
  readonly objects: readonly (readonly [file: string, object: unknown])[];
  readonly modes?: unknown;
  readonly generations?: unknown;
}

function parseState({ objects, modes, generations }: Written): State {
  const held = new Map<string, Held>();
  for (const [file, raw] of objects) {
    const outcome = parseObject(raw, () => undefined);
    if (outcome.kind !== 'object') continue;
    if (isOurs(outcome.object)) remember(outcome.object, raw as RawObject);
    held.set(keyOf(outcome.object), { object: outcome.object, file });
  }
  const ofHosts = parseMemory({ modes: JSON.stringify(modes), generations: JSON.stringify(generations) });
  return { held, modes: ofHosts.modes, generations: ofHosts.generations };
}

/** An object never changes, and most are the same at the next writing. */
const texts = new WeakMap<ApiObject, string>();

function textOf({ held, modes, generations }: State): string {
  const objects = Array.from(held.values()).flatMap(({ object, file }) => {
    const text = textOfObject(object);
    return text === '' ? [] : `[${JSON.stringify(file)},${text}]`;
  });
  const ofHosts = { modes: [...modes], generations: [...generations] };
  return `{"objects":[\n${objects.join(',\n')}\n],${JSON.stringify(ofHosts).slice(1)}\n`;
}

/** Empty where it must not be stored. */
function textOfObject(object: ApiObject): string {
  let text = texts.get(object);
  if (text === undefined) {
    const raw = storable(object);
    text = raw === undefined ? '' : JSON.stringify(raw);
    texts.set(object, text);
  }
  return text;
}
