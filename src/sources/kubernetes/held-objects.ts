/**
 * The objects as the API server last gave them → those in force, and what is said about them.
 *
 * One bad object costs itself only: where a new version can't be used, the last good one stays.
 */
import type { Diagnostic } from '../../api/diagnostic.ts';
import type { ApiObject, Kind } from '../../api/objects.ts';
import { parseObject } from '../../api/parse.ts';
import { isStandIn } from '../../api/refused-destination.ts';
import type { ObjectChanges } from '../../world/world.ts';
import { remember } from './raw-objects.ts';
import type { RawObject } from './reflector.ts';

/** What the status of an object is written from. */
export interface KnownObject {
  readonly kind: Kind;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly generation: number;
  /** `status` as it is at the API server. */
  readonly status: unknown;
  /** The version that is in force is another one. */
  readonly isLastGood: boolean;
  /** In force; undefined: none ever was. Of a RedisDestination that was never good it may be what stands in for it. */
  readonly object: ApiObject | undefined;
}

interface Held extends KnownObject {
  /** Equal for two versions that say the same to us. */
  readonly content: string;
  readonly diagnostics: readonly Diagnostic[];
}

const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/** Of a RedisService or RedisDestination. */
interface OwnMetadata {
  readonly uid?: string;
  readonly generation?: number;
  readonly labels?: unknown;
  readonly annotations?: Readonly<Record<string, string>>;
}

export class HeldObjects {
  readonly #held = new Map<string, Held>();
  #set = new Map<string, ApiObject>();
  #deleted = new Map<string, { readonly kind: Kind; readonly namespace: string; readonly name: string }>();
  #isTold = true;

  /** All of that kind in that namespace (undefined: in all). */
  replace(kind: Kind, namespace: string | undefined, objects: readonly RawObject[]): void {
    const gone = new Set<string>();
    for (const [key, held] of this.#held) {
      if (held.kind === kind && (namespace === undefined || held.namespace === namespace)) gone.add(key);
    }
    for (const object of objects) {
      gone.delete(keyOf(kind, object));
      this.set(kind, object);
    }
    for (const key of gone) this.#remove(key);
  }

  set(kind: Kind, raw: RawObject): void {
    const key = keyOf(kind, raw);
    const before = this.#held.get(key);
    const metadata = raw.metadata as RawObject['metadata'] & OwnMetadata;
    const { status, ...said } = raw as RawObject & { readonly status?: unknown };
    const isOurs = kind === 'RedisService' || kind === 'RedisDestination';
    const known = {
      kind,
      namespace: metadata.namespace ?? '',
      name: metadata.name,
      uid: metadata.uid ?? '',
      generation: metadata.generation ?? 0,
      status: isOurs ? status : undefined,
    };
    // Our own writes of the status come back as events; they say nothing new.
    const content = isOurs
      ? JSON.stringify([metadata.uid, metadata.generation, metadata.annotations, metadata.labels])
      : '';
    if (isOurs && before?.content === content) {
      this.#held.set(key, { ...before, ...known });
      this.#isTold = false;
      return;
    }
    const outcome = parseObject(isOurs ? said : raw, () => undefined);
    if (outcome.kind === 'passed-over') return;
    if (isOurs && outcome.kind === 'object') remember(outcome.object, raw);
    // Another object of the same name is no later version of the first.
    const last = before?.uid === known.uid ? goodIn(before) : undefined;
    const object = outcome.kind === 'object' ? outcome.object : (last ?? outcome.standIn);
    const isLastGood = outcome.kind === 'refused' && last !== undefined;
    const ref = { kind, namespace: known.namespace, name: known.name };
    const diagnostics = [
      ...outcome.diagnostics,
      ...(isOurs ? dropped(metadata.annotations?.[LAST_APPLIED]) : []),
      ...(isLastGood ? [lastGoodKept(ref)] : []),
    ];
    this.#held.set(key, { ...known, content, object, diagnostics, isLastGood });
    this.#isTold = false;
    if (object === before?.object) return;
    if (object === undefined) {
      this.#forget(key, ref);
    } else {
      this.#deleted.delete(key);
      this.#set.set(key, object);
    }
  }

  /** A Secret that was never read, and why: an input like any other, so that nobody says that it is not there. */
  refuse(namespace: string, name: string, refusal: string): void {
    const key = `Secret/${namespace}/${name}`;
    const known = { kind: 'Secret', namespace, name } as const;
    const header = { createdMs: Number.POSITIVE_INFINITY, locate: () => undefined };
    const object: ApiObject = { ...known, ...header, type: '', data: new Map(), refusal };
    const held = { uid: '', generation: 0, status: undefined, isLastGood: false, content: '' };
    this.#held.set(key, { ...known, ...held, object, diagnostics: [] });
    this.#isTold = false;
    this.#deleted.delete(key);
    this.#set.set(key, object);
  }

  /**
   * Takes up what was remembered over a restart: returns the objects in force then that are others now, or not there.
   * Where the newest version of an object is refused, the remembered one is its last good version from here on.
   */
  recall(remembered: readonly RawObject[]): readonly ApiObject[] {
    return remembered.flatMap((raw): readonly ApiObject[] => {
      const outcome = parseObject(raw, () => undefined);
      if (outcome.kind !== 'object') return [];
      const { object } = outcome;
      const { kind, namespace, name } = object;
      const key = `${kind}/${namespace}/${name}`;
      const held = this.#held.get(key);
      const isOurs = kind === 'RedisService' || kind === 'RedisDestination';
      // Also where there is another one of its name by now: what was good may not be with that.
      if (!isOurs) return [object];
      // Another object of the same name is no later version of the first.
      if (held === undefined || held.uid !== (raw.metadata as OwnMetadata).uid) return [];
      remember(object, raw);
      if (goodIn(held) !== undefined) return [object];
      const diagnostics = [...held.diagnostics, lastGoodKept({ kind, namespace, name })];
      this.#held.set(key, { ...held, object, isLastGood: true, diagnostics });
      this.#deleted.delete(key);
      this.#set.set(key, object);
      return [object];
    });
  }

  /** In force now; undefined: there is none of that name. */
  inForce({
    kind,
    namespace,
    name,
  }: Pick<KnownObject, 'kind' | 'namespace' | 'name'>): ApiObject | undefined {
    return this.#held.get(`${kind}/${namespace}/${name}`)?.object;
  }

  delete(kind: Kind, raw: RawObject): void {
    this.#remove(keyOf(kind, raw));
  }

  /** Something came, changed or went since `take`. */
  get hasNews(): boolean {
    return !this.#isTold;
  }

  /** What has changed since the last call. */
  take(): ObjectChanges {
    const changes = { set: [...this.#set.values()], deleted: [...this.#deleted.values()] };
    this.#set = new Map();
    this.#deleted = new Map();
    this.#isTold = true;
    return changes;
  }

  diagnostics(): readonly Diagnostic[] {
    return [...this.#held.values()].flatMap(({ diagnostics }) => diagnostics);
  }

  /** In force, the last good version where the newest is bad. */
  *objects(): Iterable<ApiObject> {
    for (const { object } of this.#held.values()) if (object !== undefined) yield object;
  }

  /** RedisServices and RedisDestinations, bad ones too. */
  *own(): Iterable<KnownObject> {
    for (const held of this.#held.values()) {
      if (held.kind === 'RedisService' || held.kind === 'RedisDestination') yield held;
    }
  }

  #remove(key: string): void {
    const before = this.#held.get(key);
    if (before === undefined) return;
    this.#held.delete(key);
    this.#isTold = false;
    this.#forget(key, before);
  }

  #forget(key: string, { kind, namespace, name }: Pick<KnownObject, 'kind' | 'namespace' | 'name'>): void {
    this.#set.delete(key);
    this.#deleted.set(key, { kind, namespace, name });
  }
}

/** Not what stands in for it. */
function goodIn({ object }: KnownObject): ApiObject | undefined {
  return object !== undefined && isStandIn(object) ? undefined : object;
}

function keyOf(kind: Kind, { metadata }: RawObject): string {
  return `${kind}/${metadata.namespace ?? ''}/${metadata.name}`;
}

function lastGoodKept(object: {
  readonly kind: Kind;
  readonly namespace: string;
  readonly name: string;
}): Diagnostic {
  const message = 'its last good version stays in force until this is mended';
  return { severity: 'warning', reason: 'LastGoodKept', object, path: [], message };
}

/**
 * The API server drops fields that it does not know. Where the writer did not ask it to refuse them, the only trace is
 * what kubectl notes of the text that it was given.
 */
function dropped(lastApplied: string | undefined): readonly Diagnostic[] {
  if (lastApplied === undefined) return [];
  let value: unknown;
  try {
    value = JSON.parse(lastApplied);
  } catch {
    return [];
  }
  const outcome = parseObject(value, () => undefined);
  if (outcome.kind === 'passed-over') return [];
  return outcome.diagnostics
    .filter(({ reason }) => reason === 'UnknownField')
    .map((diagnostic) => ({ ...diagnostic, reason: 'FieldDropped' }));
}
