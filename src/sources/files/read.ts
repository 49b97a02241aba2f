/**
 * Reads files of objects once.
 */
import { isUtf8 } from 'node:buffer';
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';

import type { Diagnostic } from '../../api/diagnostic.ts';
import type { ApiObject } from '../../api/objects.ts';
import { parseFile } from './documents.ts';
import { gather, type FileState } from './gather.ts';
import {
  DANGLING,
  MISNAMED,
  MISSING,
  UNFOLLOWED,
  checkPaths,
  codeOf,
  listFiles,
  look,
  unreadableFor,
} from './tree.ts';

export interface FilesContent {
  readonly objects: readonly ApiObject[];
  readonly diagnostics: readonly Diagnostic[];
}

/** `-` is standard input. Fails with one line where a path is not there. */
export async function readFiles(paths: readonly string[]): Promise<FilesContent> {
  const files = new Map<string, FileState>();
  if (paths.includes('-')) files.set('-', await readStreamAndParse('-', process.stdin));
  const named: string[] = [];
  for (const path of paths.filter((path) => path !== '-')) {
    // What the shell makes of `<(command)`: it can be read once, and nobody follows it here.
    if (await isPipe(path)) files.set(path, await readStreamAndParse(path, createReadStream(path)));
    else named.push(path);
  }
  await checkPaths(named);
  const tree = await listFiles(named);
  for (const path of tree.files.keys()) files.set(path, await readAndParse(path, undefined));
  for (const [path, problem] of tree.hidden) files.set(path, unreadable(path, problem, undefined));
  const { held, diagnostics } = gather(files, new Map());
  return { objects: [...held.values()].map(({ object }) => object), diagnostics };
}

async function isPipe(path: string): Promise<boolean> {
  const state = await look(path);
  return typeof state === 'object' && (state.isFIFO() || state.isCharacterDevice());
}

/** A file that can't be read is a Diagnostic, not an exception: the others must not suffer. */
export async function readAndParse(path: string, before: FileState | undefined): Promise<FileState> {
  try {
    if ((await stat(path)).size > MOST_BYTES) return unreadable(path, TOO_LARGE, before);
    return parseBytes(path, await readFile(path), before);
  } catch (error) {
    return unreadable(path, unreadableFor(codeOf(error)), before);
  }
}

/** What may have no end: no more of it is read than a file may hold. */
async function readStreamAndParse(path: string, stream: AsyncIterable<Buffer>): Promise<FileState> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of stream) {
      size += chunk.length;
      if (size > MOST_BYTES) return unreadable(path, TOO_LARGE, undefined);
      chunks.push(chunk);
    }
  } catch (error) {
    return unreadable(path, unreadableFor(codeOf(error)), undefined);
  }
  return parseBytes(path, Buffer.concat(chunks), undefined);
}

function parseBytes(path: string, bytes: Buffer, before: FileState | undefined): FileState {
  if (!isUtf8(bytes) || bytes.includes(0)) return unreadable(path, NOT_TEXT, before);
  return parseFile(path, bytes.toString(), before);
}

/** A parser takes a third of a second for each MiB, and some 40 MiB of memory; nothing else happens meanwhile. */
const MOST_BYTES = 16 * 1_048_576;

const NOT_TEXT = 'it is no text in UTF-8';
/** Of all that is followed, at the start. */
export const EMPTY = 'it holds no objects any more';
const TOO_LARGE = 'it is larger than 16 MiB';

const REMEDIES: ReadonlyMap<string, string> = new Map([
  [NOT_TEXT, 'save it as that'],
  [TOO_LARGE, 'split it'],
  [MISSING, 'put it back'],
  [DANGLING, 'put back what it led to, or remove it'],
  [EMPTY, 'put some into it'],
  [MISNAMED, 'rename it'],
  [UNFOLLOWED, 'put a file in its place'],
]);

/** What was read of it, or below it, before stays. */
export function unreadable(
  file: string,
  problem: string,
  before: FileState | undefined,
  isAnyInForce = before !== undefined,
): FileState {
  const remedy = REMEDIES.get(problem) ?? 'check its permissions';
  const meanwhile = isAnyInForce ? ', what was last read of it stays in force until then' : '';
  const message = `${problem}; ${remedy}${meanwhile}`;
  const known = before ?? { source: { file, text: '' }, documents: [], syntaxErrors: [] };
  const position = { file, line: 1, column: 1 };
  return {
    ...known,
    unreadable: { severity: 'error', reason: 'SyntaxError', path: [], position, message },
  };
}
