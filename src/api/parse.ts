/**
 * One document → one object, or what is wrong with it.
 */
import type { Diagnostic, ObjectRef } from './diagnostic.ts';
import { Fields, describe, isMap, kindOf } from './fields.ts';
import { parseEndpointSlice, parseSecret, parseService, parseServiceEntry } from './kubernetes-objects.ts';
import type { ApiObject, ObjectHeader, RedisDestination } from './objects.ts';
import { parseRedisDestination } from './redis-destination.ts';
import { parseRedisService } from './redis-service.ts';
import { refusedDestination } from './refused-destination.ts';
import { Report, type Asked, type Locate } from './report.ts';
import { ANNOTATIONS } from './service-annotations.ts';
import { nearest } from './suggestion.ts';

export type ParseOutcome =
  /** A kind that is not read here. */
  | { readonly kind: 'passed-over' }
  | { readonly kind: 'object'; readonly object: ApiObject; readonly diagnostics: readonly Diagnostic[] }
  /** `object` is known as far as kind, namespace and name could be read. */
  | {
      readonly kind: 'refused';
      readonly object: ObjectRef | undefined;
      /** In force where no former version is. */
      readonly standIn: RedisDestination | undefined;
      readonly diagnostics: readonly Diagnostic[];
    };

const GROUP = 'redis.aeraki.io';
const API_VERSION = `${GROUP}/v1alpha1`;
const OUR_KINDS = ['RedisService', 'RedisDestination'] as const;

/** What is read of other groups, exactly so. */
const OTHER_KINDS: Readonly<Record<string, readonly string[]>> = {
  Service: ['v1'],
  Secret: ['v1'],
  EndpointSlice: ['discovery.k8s.io/v1'],
  ServiceEntry: ['v1', 'v1beta1', 'v1alpha3'].map((version) => `networking.istio.io/${version}`),
};

const NAME = /^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/;
const NAMESPACE = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/**
 * `locate` says where a field stands, for the Diagnostics now and later; `onAsked` hears of every field that is asked for.
 */
export function parseObject(value: unknown, locate: Locate, onAsked?: Asked): ParseOutcome {
  const refuse = (report: Report, object?: ObjectRef): ParseOutcome => ({
    kind: 'refused',
    object,
    standIn: standInOf(value, locate),
    diagnostics: report.diagnostics,
  });
  const early = new Report(undefined, locate);
  if (!isMap(value)) {
    early.add(
      'error',
      'SyntaxError',
      [],
      `${kindOf(value)} is no object; write apiVersion, kind, metadata and spec`,
    );
    return refuse(early);
  }
  const kind = readKind(value, early);
  if (kind === undefined) return early.hasErrors ? refuse(early) : { kind: 'passed-over' };

  const ref: ObjectRef = { kind, ...namesOf(value) };
  const report = new Report(ref.name === '' ? undefined : ref, locate, onAsked);
  // readKind has seen that it is a map.
  const root = Fields.of(value, [], report) as Fields;
  const metadata = parseMetadata(root, ref, locate, report);
  const object = parseKind(kind, root, metadata, report);
  if (object === undefined || report.hasErrors) return refuse(report, ref.name === '' ? undefined : ref);
  return { kind: 'object', object, diagnostics: report.diagnostics };
}

function namesOf(value: Readonly<Record<string, unknown>>): Pick<ObjectRef, 'namespace' | 'name'> {
  const { namespace, name } = isMap(value['metadata']) ? value['metadata'] : {};
  return {
    namespace: typeof namespace === 'string' && namespace !== '' ? namespace : 'default',
    name: typeof name === 'string' ? name : '',
  };
}

/** Also of one whose kind is misspelt, or whose version is not read. */
function standInOf(value: unknown, locate: Locate): RedisDestination | undefined {
  if (!isMap(value)) return undefined;
  const { kind } = value;
  if (typeof kind !== 'string' || nearest(kind, OUR_KINDS) !== 'RedisDestination') return undefined;
  const { creationTimestamp } = isMap(value['metadata']) ? value['metadata'] : {};
  const created = typeof creationTimestamp === 'string' ? Date.parse(creationTimestamp) : Number.NaN;
  const createdMs = Number.isNaN(created) ? Number.POSITIVE_INFINITY : created;
  return refusedDestination(value, { ...namesOf(value), createdMs, locate });
}

type ReadKind = ApiObject['kind'];

/** undefined: a kind that is not read, or a mistake that has been reported. */
function readKind(value: Readonly<Record<string, unknown>>, report: Report): ReadKind | undefined {
  const { apiVersion, kind } = value;
  for (const [field, found] of Object.entries({ apiVersion, kind })) {
    if (typeof found === 'string' && found !== '') continue;
    const what =
      found === undefined || found === null || found === ''
        ? `has no ${field}`
        : `has ${describe(found)} as its ${field}`;
    const example = field === 'kind' ? 'kind: RedisService' : `apiVersion: ${API_VERSION}`;
    report.add('error', 'SyntaxError', [field], `the document ${what}; write it, for example ${example}`);
  }
  if (typeof apiVersion !== 'string' || typeof kind !== 'string' || report.hasErrors) return undefined;

  const ours = OUR_KINDS.find((known) => known === kind);
  if (apiVersion === API_VERSION) {
    if (ours !== undefined) return ours;
    const meant = nearest(kind, OUR_KINDS) ?? OUR_KINDS.join(' or ');
    report.invalid(['kind'], `"${kind}" is not a kind of ${API_VERSION}; write ${meant}`);
    return undefined;
  }
  if (ours !== undefined || apiVersion === GROUP || apiVersion.startsWith(`${GROUP}/`)) {
    report.invalid(['apiVersion'], `"${apiVersion}" is not read; write ${API_VERSION}`);
    return undefined;
  }
  return Object.hasOwn(OTHER_KINDS, kind) && OTHER_KINDS[kind]?.includes(apiVersion) === true
    ? (kind as ReadKind)
    : undefined;
}

interface Metadata {
  readonly header: ObjectHeader;
  readonly labels: ReadonlyMap<string, string>;
  readonly annotations: Fields | undefined;
}

/** Of an object without metadata too, so that what else is wrong with it is told as well. */
function parseMetadata(root: Fields, ref: ObjectRef, locate: Locate, report: Report): Metadata {
  // Asked for here so that they don't count as unknown fields.
  root.text('apiVersion');
  root.text('kind');
  root.has('status');
  const metadata = root.map('metadata');
  if (metadata === undefined) {
    if (!root.has('metadata')) root.invalid('metadata', 'is missing; write metadata with a name');
    const { namespace, name } = ref;
    const header = { namespace, name, createdMs: Number.POSITIVE_INFINITY, locate };
    return { header, labels: new Map(), annotations: undefined };
  }
  for (const field of ['name', 'namespace'] as const) {
    const text = metadata.text(field);
    if (text === undefined && metadata.has(field)) continue;
    if (field === 'name' && (text === undefined || text === ''))
      metadata.invalid('name', 'is missing; write a name');
    else if (field === 'name' && text !== undefined && (text.length > 253 || !NAME.test(text))) {
      metadata.invalid(field, `${describe(text)} is not a name; write lower-case letters, digits, - and .`);
    } else if (field === 'namespace' && text !== undefined && text !== '' && !NAMESPACE.test(text)) {
      const remedy = 'write at most 63 lower-case letters, digits and -';
      metadata.invalid(field, `${describe(text)} is not a namespace; ${remedy}`);
    }
  }
  const created = metadata.text('creationTimestamp');
  const createdMs = created === undefined ? Number.POSITIVE_INFINITY : Date.parse(created);
  if (Number.isNaN(createdMs)) {
    metadata.invalid(
      'creationTimestamp',
      `"${created}" is not a time; write it as 2026-01-31T12:00:00Z, or remove it`,
    );
  }
  const uid = metadata.text('uid');
  const labels = metadata.map('labels');
  const annotations = metadata.map('annotations');
  if (ref.kind !== 'RedisService') warnOfAnnotations(annotations, ref.kind, report);
  return {
    header: { namespace: ref.namespace, name: ref.name, createdMs, uid, locate },
    annotations,
    labels: new Map(
      (labels?.names ?? []).flatMap((name) => {
        const text = labels?.text(name);
        return text === undefined ? [] : [[name, text] as const];
      }),
    ),
  };
}

/** All of ours belong to a RedisService. */
function warnOfAnnotations(annotations: Fields | undefined, kind: string, report: Report): void {
  for (const name of annotations?.names ?? []) {
    if (annotations === undefined || !name.startsWith(ANNOTATIONS)) continue;
    const message = `has no effect on a ${kind}; move it to a RedisService`;
    report.add('warning', 'UnknownField', annotations.at(name), message);
  }
}

function parseKind(kind: ReadKind, root: Fields, metadata: Metadata, report: Report): ApiObject | undefined {
  const { header, labels, annotations } = metadata;
  switch (kind) {
    case 'RedisService':
      return parseRedisService(root, header, annotations, report);
    case 'RedisDestination':
      return parseRedisDestination(root, header, report);
    case 'Service':
      return parseService(root, header, report);
    case 'EndpointSlice':
      return parseEndpointSlice(root, header, labels, report);
    case 'ServiceEntry':
      return parseServiceEntry(root, header, report);
    case 'Secret':
      return parseSecret(root, header, report);
  }
}
