/**
 * The files as they are now → the objects in force, and what is said about them.
 *
 * One bad object costs itself only: where a new version can't be used, the last good one stays.
 */
import type { Diagnostic, ObjectRef } from '../../api/diagnostic.ts';
import type { ApiObject } from '../../api/objects.ts';
import type { ParsedFile } from './documents.ts';

export interface Held {
  readonly object: ApiObject;
  readonly file: string;
}

export interface Gathered {
  /** By `Kind/namespace/name`. */
  readonly held: ReadonlyMap<string, Held>;
  readonly diagnostics: readonly Diagnostic[];
}

/** A file that could not be read, or is not YAML as a whole: what it held before stays. */
export type FileState = ParsedFile & { readonly unreadable?: Diagnostic };

/** Files in their order; `before` is what was in force until now. */
export function gather(files: ReadonlyMap<string, FileState>, before: ReadonlyMap<string, Held>): Gathered {
  const held = new Map<string, Held>();
  const diagnostics: Diagnostic[] = [];
  const refused: { readonly ref: ObjectRef; readonly file: string }[] = [];
  const damaged = new Set<string>();

  for (const [file, { documents, syntaxErrors, unreadable }] of files) {
    diagnostics.push(...syntaxErrors);
    if (unreadable !== undefined) diagnostics.push(unreadable);
    if (syntaxErrors.length > 0 || unreadable !== undefined) damaged.add(file);
    for (const outcome of documents.flatMap(({ outcomes }) => outcomes)) {
      if (outcome.kind === 'passed-over') continue;
      diagnostics.push(...outcome.diagnostics);
      if (outcome.kind === 'refused') {
        if (outcome.object !== undefined) refused.push({ ref: outcome.object, file });
        continue;
      }
      const { object } = outcome;
      const first = held.get(keyOf(object));
      if (first === undefined) held.set(keyOf(object), { object, file });
      else diagnostics.push(duplicate(object, first.object));
    }
  }

  for (const { ref } of refused) keep(keyOf(ref));
  for (const [key, { file }] of before) {
    if (damaged.has(file)) keep(key);
  }
  return { held, diagnostics };

  function keep(key: string): void {
    const last = before.get(key);
    if (last === undefined || held.has(key)) return;
    held.set(key, last);
    diagnostics.push(
      about(
        last.object,
        'warning',
        'LastGoodKept',
        'its last good version stays in force until this is mended',
      ),
    );
  }
}

export function keyOf({ kind, namespace, name }: ObjectRef): string {
  return `${kind}/${namespace}/${name}`;
}

function duplicate(object: ApiObject, first: ApiObject): Diagnostic {
  const place = first.locate([]);
  const where = place === undefined ? 'elsewhere' : `in ${place.file}:${place.line}`;
  const diagnostic = about(
    object,
    'error',
    'Duplicate',
    `is already there ${where}; remove or rename one of them`,
  );
  const position = object.locate([]);
  return position === undefined ? diagnostic : { ...diagnostic, position };
}

function about(
  { kind, namespace, name }: ObjectRef,
  severity: Diagnostic['severity'],
  reason: Diagnostic['reason'],
  message: string,
): Diagnostic {
  return { severity, reason, object: { kind, namespace, name }, path: [], message };
}

/** What a source reports: objects that came or changed, and those that went. */
export function differences(
  before: ReadonlyMap<string, Held>,
  after: ReadonlyMap<string, Held>,
): { readonly set: readonly ApiObject[]; readonly deleted: readonly ApiObject[] } {
  const set: ApiObject[] = [];
  const deleted: ApiObject[] = [];
  for (const [key, { object }] of after) if (before.get(key)?.object !== object) set.push(object);
  for (const [key, { object }] of before) if (!after.has(key)) deleted.push(object);
  return { set, deleted };
}
