/**
 * What the status of an object says: Diagnostics and what the proxies made of it, as conditions.
 *
 * Pure. The form is Gateway API's: true is good, a condition belongs to a generation, `Conflicted` is there only while it
 * is true.
 */
import { formatPath, type Diagnostic, type Reason } from '../api/diagnostic.ts';

export interface Condition {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration: number;
  readonly lastTransitionTime: string;
}

/** What the proxies that get an object made of it. */
export interface Progress {
  /** Some proxy gets it. */
  readonly isServed: boolean;
  readonly isPending: boolean;
  /** Who refused it, and in which words; empty where nobody did. */
  readonly rejections: readonly { readonly node: string; readonly message: string }[];
}

/** How far the EnvoyFilters of an object are, where it has some. */
export interface InMesh {
  /** `NAMESPACE/NAME` of those that are written. */
  readonly written: readonly string[];
  /** Why another is not; undefined where none is missing. */
  readonly pending: string | undefined;
  /** Why one stays that says something older; undefined where none does. */
  readonly kept: string | undefined;
}

export interface Judged {
  readonly kind: string;
  readonly generation: number;
  /** Of this object only. */
  readonly diagnostics: readonly Diagnostic[];
  readonly progress: Progress;
  readonly inMesh?: InMesh | undefined;
}

const REFERENCES: ReadonlySet<Reason> = new Set<Reason>([
  'HostNotFound',
  'PortNotFound',
  'SecretNotFound',
  'SecretFieldMissing',
  'SecretTypeRefused',
  'SecretNotAllowed',
  'CredentialsUnavailable',
  'DestinationsUnknown',
]);
const CONFLICTS: ReadonlySet<Reason> = new Set<Reason>([
  'HostConflict',
  'AddressConflict',
  'EnvoyFilterConflict',
  'Duplicate',
]);
/** What some data planes can't do, or may not; the object itself is good. */
const OF_SOME: ReadonlySet<Reason> = new Set<Reason>([
  'AddressConflict',
  'EnvoyFilterConflict',
  'UnsupportedByIstio',
  'NamespaceNotAllowed',
]);

const LONGEST_MESSAGE = 4_000;
const LONGEST_WORDS = 500;
const MOST_NODES = 3;

type Verdict = Pick<Condition, 'type' | 'status' | 'reason' | 'message'>;

/** `before`: the conditions that stand there now; a time stays where its status does. */
export function conditionsOf(
  object: Judged,
  before: readonly Condition[],
  nowIso: string,
): readonly Condition[] {
  const verdicts = [accepted(object), resolvedRefs(object)];
  if (object.kind === 'RedisService') verdicts.push(programmed(object));
  const conflict = conflicted(object);
  if (conflict !== undefined) verdicts.push(conflict);
  return verdicts.map((verdict) => {
    const last = before.find(({ type }) => type === verdict.type);
    return {
      ...verdict,
      message: cut(verdict.message, LONGEST_MESSAGE),
      observedGeneration: object.generation,
      lastTransitionTime: last?.status === verdict.status ? last.lastTransitionTime : nowIso,
    };
  });
}

const TYPES: readonly string[] = ['Accepted', 'ResolvedRefs', 'Programmed', 'Conflicted'];

/** Others may have conditions of their own. */
export function isOurs({ type }: Condition): boolean {
  return TYPES.includes(type);
}

/** Whether two say the same; when they changed does not count, nor what others say. */
export function sameConditions(a: readonly Condition[], b: readonly Condition[]): boolean {
  const said = (conditions: readonly Condition[]): string =>
    conditions
      .filter(isOurs)
      .map(({ type, status, reason, message, observedGeneration }) =>
        JSON.stringify([type, status, reason, message, observedGeneration]),
      )
      .sort()
      .join('\n');
  return said(a) === said(b);
}

function accepted({ diagnostics }: Judged): Verdict {
  const errors = diagnostics.filter(
    ({ severity, reason }) => severity === 'error' && !REFERENCES.has(reason) && !OF_SOME.has(reason),
  );
  const kept = diagnostics.filter(({ reason }) => reason === 'LastGoodKept');
  const [first] = errors;
  if (first !== undefined) return verdict('Accepted', 'False', first.reason, lines([...errors, ...kept]));
  // What is in force, though not as one might think, stands beside the good news.
  const hints = diagnostics.filter(
    ({ severity, reason }) => severity !== 'error' && !REFERENCES.has(reason) && reason !== 'LastGoodKept',
  );
  const message = hints.length === 0 ? 'the object is valid' : lines(hints);
  return verdict('Accepted', 'True', 'Accepted', message);
}

function resolvedRefs({ diagnostics }: Judged): Verdict {
  const missing = diagnostics.filter(({ reason }) => REFERENCES.has(reason));
  const errors = missing.filter(({ severity }) => severity === 'error');
  const [first] = errors;
  if (first !== undefined) {
    const kept = diagnostics.filter(({ reason }) => reason === 'LastGoodKept');
    return verdict('ResolvedRefs', 'False', first.reason, lines([...errors, ...kept]));
  }
  const message = missing.length === 0 ? 'everything that it refers to is there' : lines(missing);
  const unknown = missing.find(({ reason }) => reason === 'DestinationsUnknown');
  if (unknown !== undefined) return verdict('ResolvedRefs', 'Unknown', unknown.reason, message);
  return verdict('ResolvedRefs', 'True', 'ResolvedRefs', message);
}

function programmed({ diagnostics, progress, inMesh }: Judged): Verdict {
  const { rejections, isServed, isPending } = progress;
  const kept = diagnostics.find(({ reason }) => reason === 'LastGoodKept');
  const error = diagnostics.find(({ severity }) => severity === 'error');
  if (rejections.length > 0) return verdict('Programmed', 'False', 'Rejected', words(rejections));
  if (kept !== undefined) {
    return verdict(
      'Programmed',
      'False',
      'LastGoodKept',
      `proxies keep what was last good of it${because(error)}`,
    );
  }
  const refused = diagnostics.filter(({ severity, reason }) => severity === 'error' && OF_SOME.has(reason));
  const [first] = refused;
  if (first !== undefined) return verdict('Programmed', 'False', first.reason, lines(refused));
  if (inMesh?.pending !== undefined) return verdict('Programmed', 'Unknown', 'Pending', inMesh.pending);
  if (inMesh?.kept !== undefined) return verdict('Programmed', 'Unknown', 'LastGoodKept', inMesh.kept);
  if (!isServed) {
    if (inMesh !== undefined) return verdict('Programmed', 'Unknown', 'WrittenToIstio', toIstio(inMesh));
    if (error !== undefined) {
      return verdict('Programmed', 'False', error.reason, `no proxy gets it as it is${because(error)}`);
    }
    return verdict('Programmed', 'Unknown', 'NoProxies', 'no proxy is connected that gets it');
  }
  if (isPending) {
    return verdict('Programmed', 'Unknown', 'Pending', 'a proxy that gets it has not acknowledged it yet');
  }
  // A password that was never known closes its listener, and that is what the proxies have.
  const but = error === undefined ? '' : `, but ${line(error)}`;
  return verdict('Programmed', 'True', 'Programmed', `every proxy that gets it has it${but}`);
}

function because(error: Diagnostic | undefined): string {
  return error === undefined ? '' : `: ${line(error)}`;
}

function toIstio({ written }: InMesh): string {
  const others = written.length > MOST_NODES ? ', …' : '';
  const names = `${written.slice(0, MOST_NODES).join(', ')}${others}`;
  return `written to Istio as EnvoyFilter ${names}; what sidecars make of it is not visible from here`;
}

function conflicted({ diagnostics }: Judged): Verdict | undefined {
  const conflicts = diagnostics.filter(({ reason }) => CONFLICTS.has(reason));
  const [first] = conflicts;
  return first && verdict('Conflicted', 'True', first.reason, lines(conflicts));
}

/** By node, so that the same is said whoever came first. */
export function inOrder(rejections: Progress['rejections']): Progress['rejections'] {
  return rejections.toSorted((a, b) => {
    if (a.node !== b.node) return a.node < b.node ? -1 : 1;
    return a.message < b.message ? -1 : a.message > b.message ? 1 : 0;
  });
}

function words(rejections: Progress['rejections']): string {
  const [first] = inOrder(rejections);
  const nodes = [...new Set(rejections.map(({ node }) => node))].sort();
  const others = nodes.length > MOST_NODES ? ', …' : '';
  const who = `${nodes.slice(0, MOST_NODES).join(', ')}${others}`;
  return `refused by ${who}: ${cut(first?.message ?? '', LONGEST_WORDS)}`;
}

function verdict(type: string, status: Condition['status'], reason: string, message: string): Verdict {
  return { type, status, reason, message };
}

function lines(diagnostics: readonly Diagnostic[]): string {
  return [...new Set(diagnostics.map(line))].join('\n');
}

function line({ path, message }: Diagnostic): string {
  return path.length === 0 ? message : `${formatPath(path)}: ${message}`;
}

/** Half a character would come back from the API server as another one, and be written again for ever. */
function cut(text: string, length: number): string {
  return Buffer.from(text.length <= length ? text : `${text.slice(0, length - 1)}…`).toString();
}
