/**
 * What stands in for a RedisDestination that can't be used: its host must not be reached in plaintext, or without a
 * password, for a mistake beside the field that asks for them.
 *
 * Reads what was written as the user may have meant it, since all that comes of it is an upstream that stays closed.
 */
import { isMap } from './fields.ts';
import { parseHostPort } from './host-port.ts';
import type { ApiObject, ObjectHeader, RedisDestination } from './objects.ts';

/** undefined where the object asks for neither TLS nor a password, or says nothing of a host. */
export function refusedDestination(
  value: Readonly<Record<string, unknown>>,
  header: ObjectHeader,
): RedisDestination | undefined {
  const { spec } = value;
  if (!isMap(spec) || !mayAskForSecurity(spec)) return undefined;
  const { host, hosts } = spec;
  const [first, ...others] = [host, hosts].flat().flatMap(meantHost);
  if (first === undefined) return undefined;
  return {
    kind: 'RedisDestination',
    ...header,
    host: first,
    refused: { otherHosts: others },
    mode: undefined,
    auth: undefined,
    discoveryEndpoints: [],
    connectTimeoutMs: undefined,
    maxConnections: undefined,
    tcpKeepalive: undefined,
    tls: undefined,
  };
}

/** A good object that is not in force for what stands around it: another one of its name, or a mistake of YAML. */
export function asRefused(object: ApiObject): RedisDestination | undefined {
  if (object.kind !== 'RedisDestination') return undefined;
  if (object.tls === undefined && object.auth === undefined) return undefined;
  // The other one of its name is never the younger.
  const createdMs = Number.POSITIVE_INFINITY;
  return { ...object, createdMs, auth: undefined, tls: undefined, refused: { otherHosts: [] } };
}

export function isStandIn(object: ApiObject): object is RedisDestination {
  return object.kind === 'RedisDestination' && object.refused !== undefined;
}

/**
 * `redis`, and also `redis:6379` and `rediss://user:password@redis:6379/0`; each that may be meant, where the password or what
 * follows has one of the characters that end it.
 */
function meantHost(value: unknown): readonly string[] {
  if (typeof value !== 'string') return [];
  const address = value.trim().replace(/^[\w+.-]+:\/\//, '');
  const places = new Set([withoutPath(withoutUser(address)), withoutUser(withoutPath(address))]);
  return [...places].flatMap((bare) => {
    const place = parseHostPort(bare).value ?? parseHostPort(bare.replace(/:[^:]*$/, '')).value;
    return place === undefined ? [] : [place.host];
  });
}

function withoutUser(address: string): string {
  return address.replace(/^.*@/s, '');
}

function withoutPath(address: string): string {
  return address.replace(/[/?#].*$/s, '');
}

/** In their places, or where they stand by mistake; and where something stands in place of the maps that hold them. */
function mayAskForSecurity(spec: Readonly<Record<string, unknown>>): boolean {
  const { trafficPolicy } = spec;
  const pool = isMap(trafficPolicy) ? trafficPolicy['connectionPool'] : undefined;
  const redis = isMap(pool) ? pool['redis'] : undefined;
  return [trafficPolicy, pool, redis].some(isUnreadable) || holdsSecurity(spec);
}

function isUnreadable(value: unknown): boolean {
  return value !== undefined && value !== null && !isMap(value);
}

function holdsSecurity(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(holdsSecurity);
  if (!isMap(value)) return false;
  return Object.entries(value).some(([name, field]) => {
    if (field === undefined || field === null) return false;
    const asked = name.toLowerCase();
    return asked === 'auth' || (asked === 'tls' && !isDisabled(field)) || holdsSecurity(field);
  });
}

function isDisabled(tls: unknown): boolean {
  return isMap(tls) && (tls['mode'] === 'DISABLE' || tls['mode'] === 0);
}
