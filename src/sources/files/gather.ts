/**
 * The files as they are now → the objects in force, and what is said about them.
 *
 * One bad object costs itself only: where a new version can't be used, the last good one stays.
 */
import type { Diagnostic, ObjectRef, Position } from '../../api/diagnostic.ts';
import type { ApiObject, RedisDestination } from '../../api/objects.ts';
import type { ParseOutcome } from '../../api/parse.ts';
import { asRefused, isStandIn } from '../../api/refused-destination.ts';
import type { ObjectChanges } from '../../world/world.ts';
import type { ParsedFile } from './documents.ts';
import { isBelow } from './tree.ts';

export interface Held {
  readonly object: ApiObject;
  readonly file: string;
}

export interface Gathered {
  /** By `Kind/namespace/name`. */
  readonly held: Map<string, Held>;
  readonly diagnostics: readonly Diagnostic[];
}

/** A file that could not be read: what it held before stays. */
export type FileState = ParsedFile & { readonly unreadable?: Diagnostic };

/** Files in their order; `before` is what was in force until now. */
export function gather(files: ReadonlyMap<string, FileState>, before: ReadonlyMap<string, Held>): Gathered {
  const gathering = new Gathering(before);
  for (const [file, state] of files) gathering.add(file, state);
  return gathering.finish();
}

/**
 * What has changed where a few files did, nothing is to say of them, and what they hold is held by no other: then it costs
 * what they hold. `held` is brought up to date; undefined: everything has to be gathered. Objects come and go like that
 * only where nothing is to say of any file (`isQuiet`): else a second one of a name may be waiting.
 */
export function changeInPlace(
  held: Map<string, Held>,
  files: readonly (readonly [file: string, before: FileState | undefined, after: FileState | undefined])[],
  isQuiet: boolean,
): Pick<ObjectChanges, 'set' | 'deleted'> | undefined {
  const changed = new Map<string, Held>();
  const gone = new Map<string, ApiObject>();
  for (const [file, before, after] of files) {
    const earlier = before === undefined ? NO_OBJECTS : plainObjects(before);
    const later = after === undefined ? NO_OBJECTS : plainObjects(after);
    if (earlier === undefined || later === undefined) return undefined;
    for (const [key, object] of earlier) {
      const known = held.get(key);
      if (known?.file !== file || known.object !== object) return undefined;
      if (later.has(key)) continue;
      if (!isQuiet) return undefined;
      gone.set(key, object);
    }
    for (const [key, object] of later) {
      const known = earlier.get(key);
      if (known === undefined && (!isQuiet || held.has(key) || changed.has(key))) return undefined;
      if (known !== object) changed.set(key, { object, file });
    }
  }
  for (const key of gone.keys()) held.delete(key);
  for (const [key, now] of changed) held.set(key, now);
  return { set: Array.from(changed.values(), ({ object }) => object), deleted: [...gone.values()] };
}

const NO_OBJECTS: ReadonlyMap<string, ApiObject> = new Map();

/** By key; undefined where something is to say of the file. */
function plainObjects(state: FileState): ReadonlyMap<string, ApiObject> | undefined {
  if (state.unreadable !== undefined || state.syntaxErrors.length > 0) return undefined;
  const objects = new Map<string, ApiObject>();
  for (const outcome of state.documents.flatMap(({ outcomes }) => outcomes)) {
    if (outcome.kind === 'passed-over') continue;
    if (outcome.kind === 'refused' || outcome.diagnostics.length > 0) return undefined;
    if (objects.has(keyOf(outcome.object))) return undefined;
    objects.set(keyOf(outcome.object), outcome.object);
  }
  return objects;
}

class Gathering {
  readonly #before: ReadonlyMap<string, Held>;
  readonly #held = new Map<string, Held>();
  readonly #diagnostics: Diagnostic[] = [];
  /** Refused where something else was in force: another file's object may be what is meant. */
  readonly #refused: { readonly ref: ObjectRef; readonly position: Position | undefined }[] = [];
  readonly #kept = new Set<string>();
  /** What stays closed unless a former version is in force; `former`: what was so before in a file that is damaged now. */
  readonly #former: Held[] = [];
  readonly #standIns: { readonly standIn: RedisDestination; readonly file: string }[] = [];

  constructor(before: ReadonlyMap<string, Held>) {
    this.#before = before;
  }

  add(file: string, { documents, syntaxErrors, unreadable }: FileState): void {
    this.#diagnostics.push(...syntaxErrors);
    if (unreadable !== undefined) this.#diagnostics.push(unreadable);
    for (const { outcomes } of documents) {
      for (const outcome of outcomes) this.#addOutcome(file, outcome);
    }
    const damage = unreadable ?? syntaxErrors[0];
    if (damage === undefined) return;
    // Which of its objects the damaged text would still hold can't be told: all of them stay.
    for (const { object, file: from } of this.#before.values()) {
      if (from !== file && (unreadable === undefined || !isBelow(from, file))) continue;
      if (isStandIn(object)) this.#former.push({ object, file: from });
      else this.#keep(object, damage.position);
    }
  }

  finish(): Gathered {
    for (const { ref, position } of this.#refused) this.#keep(ref, position);
    for (const { standIn, file } of this.#standIns) this.#close(standIn, file);
    for (const { object, file } of this.#former) {
      if (!this.#held.has(keyOf(object))) this.#held.set(keyOf(object), { object, file });
    }
    return { held: this.#held, diagnostics: this.#diagnostics };
  }

  #addOutcome(file: string, outcome: ParseOutcome): void {
    if (outcome.kind === 'passed-over') return;
    this.#diagnostics.push(...outcome.diagnostics);
    if (outcome.kind === 'refused') {
      const { object: ref, standIn } = outcome;
      if (standIn !== undefined) this.#standIns.push({ standIn, file });
      if (ref === undefined) return;
      const position = outcome.diagnostics.find(({ severity }) => severity === 'error')?.position;
      // At once where it was in force from here: a second one of its name must not take its place for a mistake in it.
      if (this.#before.get(keyOf(ref))?.file === file) this.#keep(ref, position);
      else this.#refused.push({ ref, position });
      return;
    }
    const { object } = outcome;
    const first = this.#held.get(keyOf(object));
    if (first === undefined) {
      this.#held.set(keyOf(object), { object, file });
      return;
    }
    this.#diagnostics.push(duplicate(object, first.object));
    const standIn = asRefused(object);
    if (standIn !== undefined) this.#standIns.push({ standIn, file });
  }

  #keep(ref: ObjectRef, position: Position | undefined): void {
    const last = this.#before.get(keyOf(ref));
    if (last === undefined || isStandIn(last.object) || this.#held.has(keyOf(ref))) return;
    this.#held.set(keyOf(ref), last);
    this.#kept.add(keyOf(ref));
    const message = 'its last good version stays in force until this is mended';
    this.#diagnostics.push(about(last.object, 'warning', 'LastGoodKept', position, message));
  }

  #close(standIn: RedisDestination, file: string): void {
    const key = keyOf(standIn);
    const other = this.#held.get(key);
    // Its own former version.
    if (other?.file === file && this.#kept.delete(key)) return;
    const object = other === undefined && standIn.name !== '' ? standIn : named(standIn);
    this.#held.set(keyOf(object), { object, file });
  }
}

/** By its place, where its name is another's or missing. */
function named(standIn: RedisDestination): RedisDestination {
  const { file, line } = standIn.locate([]) ?? { file: '', line: 0 };
  const name = standIn.name === '' ? 'without a name' : standIn.name;
  return { ...standIn, name: `${name} (${file}:${line})` };
}

export function keyOf({ kind, namespace, name }: ObjectRef): string {
  return `${kind}/${namespace}/${name}`;
}

function duplicate(object: ApiObject, first: ApiObject): Diagnostic {
  const place = first.locate([]);
  const where = place === undefined ? 'elsewhere' : `in ${place.file}:${place.line}`;
  const message = `is already there ${where}; remove or rename one of them`;
  return about(object, 'error', 'Duplicate', object.locate([]), message);
}

function about(
  { kind, namespace, name }: ObjectRef,
  severity: Diagnostic['severity'],
  reason: Diagnostic['reason'],
  position: Position | undefined,
  message: string,
): Diagnostic {
  const place = position === undefined ? {} : { position };
  return { severity, reason, object: { kind, namespace, name }, path: [], ...place, message };
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
