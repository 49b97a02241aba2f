/**
 * Diagnostics: what is wrong with an object, where, and what to write instead.
 *
 * Reasons are a closed list, used alike in conditions, logs and `redpilot validate`; messages are for people. A
 * message is one clause in lower case that reads on after the field's path and ends with the remedy.
 */
export type Severity = 'error' | 'warning' | 'note';

/** Every reason a Diagnostic can have, in the order of docs/diagnostics.md. */
export const REASONS = [
  'SyntaxError',
  'InvalidValue',
  'UnknownField',
  'FieldDropped',
  'Duplicate',
  'HostNotFound',
  'PortNotFound',
  'SecretNotFound',
  'SecretFieldMissing',
  'SecretTypeRefused',
  'SecretNotAllowed',
  'CredentialsUnavailable',
  'DestinationsUnknown',
  'AddressConflict',
  'HostConflict',
  'EnvoyFilterConflict',
  'EnvoyFiltersLeft',
  'NoCatchAll',
  'PolicyWithoutReplicas',
  'ModeAssumed',
  'WritesAsReads',
  'GuardInForce',
  'LastGoodKept',
  'UnsupportedByEnvoy',
  'UnsupportedByIstio',
  'NamespaceNotAllowed',
  'Rejected',
] as const;

export type Reason = (typeof REASONS)[number];

/** From the object's root: `['spec', 'redis', 0, 'route', 'host']`; empty for the object as a whole. */
export type FieldPath = readonly (string | number)[];

/** A place in a file; line and column count from 1. */
export interface Position {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export interface ObjectRef {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}

export interface Diagnostic {
  readonly severity: Severity;
  readonly reason: Reason;
  /** Absent where no object could be read (a YAML syntax error). */
  readonly object?: ObjectRef;
  readonly path: FieldPath;
  readonly position?: Position;
  readonly message: string;
}

/** Of an object that knows where its fields stand. */
export function diagnosticOf(
  object: ObjectRef & { readonly locate: (path: FieldPath) => Position | undefined },
  severity: Severity,
  reason: Reason,
  path: FieldPath,
  message: string,
): Diagnostic {
  const { kind, namespace, name } = object;
  const position = object.locate(path);
  const place = position === undefined ? {} : { position };
  return { severity, reason, object: { kind, namespace, name }, path, ...place, message };
}

/** `spec.redis[0].route.host`, as users write it. */
export function formatPath(path: FieldPath): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else if (/^[A-Za-z_][\w-]*$/.test(part)) text += text === '' ? part : `.${part}`;
    else text += `["${part}"]`;
  }
  return text;
}

/**
 * One line without position and severity: `RedisService redis/redis-cluster: spec.settings.readPolicy: "REPLICAS" is…`.
 */
export function formatDiagnostic(diagnostic: Diagnostic): string {
  const { object, path, message } = diagnostic;
  const parts: string[] = [];
  if (object !== undefined) parts.push(`${object.kind} ${object.namespace}/${object.name}`);
  if (path.length > 0) parts.push(formatPath(path));
  return visible([...parts, message].join(': '));
}

/** `FILE:LINE:COLUMN`; whoever may put files into a folder names them. */
export function formatPosition({ file, line, column }: Position): string {
  return visible(`${file}:${line}:${column}`);
}

/** Line breaks, control and invisible characters as escapes: one line, and nothing that a terminal would obey. */
function visible(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\u00a0]/gu, (character) => {
    const code = (character.codePointAt(0) ?? 0).toString(16);
    return character === '\n' ? '\\n' : character === '\t' ? '\\t' : `\\u{${code}}`;
  });
}

/** The line of `redpilot validate`: `FILE:LINE:COLUMN: SEVERITY REASON: …`. */
export function formatDiagnosticLine(diagnostic: Diagnostic): string {
  const { position, severity, reason } = diagnostic;
  const place = position === undefined ? '' : `${formatPosition(position)}: `;
  return `${place}${severity} ${reason}: ${formatDiagnostic(diagnostic)}`;
}
