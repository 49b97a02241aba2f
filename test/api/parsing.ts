/** An object as plain values → what is made of it, or what is said of it. */
import assert from 'node:assert/strict';

import { formatDiagnostic } from '../../src/api/diagnostic.ts';
import type { ApiObject, Kind } from '../../src/api/objects.ts';
import { parseObject } from '../../src/api/parse.ts';

const API_VERSIONS: Readonly<Record<Kind, string>> = {
  RedisService: 'redis.aeraki.io/v1alpha1',
  RedisDestination: 'redis.aeraki.io/v1alpha1',
  Service: 'v1',
  EndpointSlice: 'discovery.k8s.io/v1',
  Secret: 'v1',
  ServiceEntry: 'networking.istio.io/v1',
};

export function document(kind: Kind, fields: object): object {
  return { apiVersion: API_VERSIONS[kind], kind, metadata: { name: 'a', namespace: 'ns' }, ...fields };
}

/** Fails where anything is said of it, be it a note. */
export function parsed<K extends Kind>(kind: K, fields: object): Extract<ApiObject, { kind: K }> {
  const outcome = parseObject(document(kind, fields), () => undefined);
  assert.deepEqual(said(kind, fields), []);
  assert.ok(outcome.kind === 'object' && isOfKind(outcome.object, kind));
  return outcome.object;
}

/** `error InvalidValue: spec.host: …` for each, without the object's name. */
export function said(kind: Kind, fields: object): readonly string[] {
  const outcome = parseObject(document(kind, fields), () => undefined);
  assert.ok(outcome.kind !== 'passed-over');
  return outcome.diagnostics.map(
    (diagnostic) =>
      `${diagnostic.severity} ${diagnostic.reason}: ${formatDiagnostic(diagnostic).replace(`${kind} ns/a: `, '')}`,
  );
}

function isOfKind<K extends Kind>(object: ApiObject, kind: K): object is Extract<ApiObject, { kind: K }> {
  return object.kind === kind;
}
