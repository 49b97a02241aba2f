/**
 * The annotations `redpilot.dev/…` of a RedisService.
 */
import { isIP } from 'node:net';

import type { Fields } from './fields.ts';
import { parseHostPort, quoted } from './host-port.ts';
import type { IstioSecrets, ListenAddress, Protocol, ServiceAnnotations } from './objects.ts';
import type { Parsed } from './parsed.ts';

export const ANNOTATIONS = 'redpilot.dev/';

const PROTOCOLS: readonly [Protocol, Protocol] = ['RESP2', 'RESP3'];
const TRUE_FALSE = ['true', 'false'] as const;
const ON_OFF = ['on', 'off'] as const;
const ISTIO_SECRETS: readonly [IstioSecrets, IstioSecrets] = ['inline', 'file'];

const NAMESPACE = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/** `annotations` undefined: there are none. */
export function parseAnnotations(annotations: Fields | undefined): ServiceAnnotations {
  const parsed: ServiceAnnotations = {
    listen: (annotations && parseListen(annotations)) ?? [],
    exportTo: namespacesOf(annotations, 'export-to'),
    protocol: oneOf(annotations, 'protocol', PROTOCOLS) ?? 'RESP2',
    zoneAffinity: oneOf(annotations, 'zone-affinity', TRUE_FALSE) === 'true',
    guards: oneOf(annotations, 'guards', ON_OFF) !== 'off',
    istioNamespaces: namespacesOf(annotations, 'istio-namespaces') ?? [],
    istioSecrets: oneOf(annotations, 'istio-secrets', ISTIO_SECRETS),
    istioPortWide: oneOf(annotations, 'istio-port-wide', TRUE_FALSE) === 'true',
  };
  annotations?.done({}, ANNOTATIONS);
  return parsed;
}

/** Kubernetes takes texts only: `true` without quotes is a mistake there, and so it is here. */
function oneOf<T extends string>(
  annotations: Fields | undefined,
  name: string,
  words: readonly [T, T],
): T | undefined {
  const full = `${ANNOTATIONS}${name}`;
  const text = annotations?.text(full);
  const found = words.find((word) => word === text);
  if (text !== undefined && found === undefined) {
    annotations?.invalid(full, `"${text}" is neither "${words[0]}" nor "${words[1]}"; write one of them`);
  }
  return found;
}

function parseListen(annotations: Fields): readonly ListenAddress[] {
  const name = `${ANNOTATIONS}listen`;
  const text = annotations.text(name);
  if (text === undefined) return [];
  const entries: ListenAddress[] = [];
  for (const item of text.split(',').map((part) => part.trim())) {
    const { value, problem } = parseListenItem(item);
    if (problem === undefined) entries.push(value);
    else annotations.invalid(name, problem);
  }
  if (entries.length > 1 && entries.some(({ of }) => of === undefined)) {
    annotations.invalid(name, 'has several addresses; write HOST=ADDRESS:PORT for each');
  }
  return entries;
}

const LISTEN_FORM = 'write ADDRESS:PORT, or HOST[:PORT]=ADDRESS:PORT for each host, joined by commas';

function parseListenItem(item: string): Parsed<ListenAddress> {
  const [left, right, ...rest] = item.split('=').map((part) => part.trim());
  if (left === undefined || left === '' || rest.length > 0)
    return { problem: `${quoted(item)} is no address; ${LISTEN_FORM}` };
  const { value: place, problem } = parseHostPort(right ?? left);
  if (problem !== undefined) return { problem };
  if (isIP(place.host) === 0)
    return { problem: `${quoted(place.host)} is not an IP address; write one, for example 127.0.0.2` };
  if (place.port === undefined) return { problem: `${quoted(item)} has no port; ${LISTEN_FORM}` };
  const at = { address: place.host, port: place.port };
  if (right === undefined) return { value: { of: undefined, ...at } };
  const of = parseHostPort(left);
  return of.problem === undefined ? { value: { of: of.value, ...at } } : { problem: of.problem };
}

function namespacesOf(annotations: Fields | undefined, name: string): readonly string[] | undefined {
  const full = `${ANNOTATIONS}${name}`;
  const text = annotations?.text(full);
  if (text === undefined) return undefined;
  const { value, problem } = parseNamespaces(text);
  if (problem !== undefined) annotations?.invalid(full, problem);
  return value;
}

/** `*`, or namespaces joined by commas, `.` for the object's own. */
export function parseNamespaces(text: string): Parsed<readonly string[]> {
  const names = text.split(',').map((part) => part.trim());
  for (const name of names) {
    if (name === '*' || name === '.' || NAMESPACE.test(name)) continue;
    return {
      problem: `"${name}" is not a namespace; write "*", or namespaces joined by commas, "." for the object's own`,
    };
  }
  if (names.includes('*') && names.length > 1)
    return { problem: 'has "*" beside other namespaces; remove one or the other' };
  return { value: [...new Set(names)].sort() };
}
