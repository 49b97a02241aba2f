/**
 * Which ports of a host speak Redis, and which one a route means.
 */
import type { RedisService, Service, ServiceEntry, ServicePort } from '../api/objects.ts';
import type { Host } from './hosts.ts';
import { REDIS_PORT } from './routing-plan.ts';

export type Ports = { readonly ports: readonly number[] } | { readonly problem: string };

/** What says which ports a host has. */
type Ported = Pick<Service | ServiceEntry, 'kind' | 'namespace' | 'name' | 'ports'>;

/** A Service's ports named `redis*` or `tcp-redis*`, else with appProtocol redis, else 6379, else the only one. */
export function redisPorts(service: Ported): readonly number[] {
  const { ports } = service;
  const rules: ((port: ServicePort) => boolean)[] = [
    (port) => port.name.startsWith('redis') || port.name.startsWith('tcp-redis'),
    (port) => port.appProtocol === 'redis',
    (port) => port.port === REDIS_PORT,
    () => ports.length === 1,
  ];
  for (const rule of rules) {
    const found = ports.filter(rule);
    if (found.length > 0) return found.map(({ port }) => port);
  }
  return [];
}

/** The ports that this object listens on for one of its hosts. */
export function listenerPorts(host: Host, owner: RedisService, keyOf: (host: string) => string): Ports {
  const service = host.service ?? host.entry;
  if (service === undefined) {
    const own = owner.rules.find((rule) => rule.port !== undefined && keyOf(rule.host) === host.key);
    return { ports: [own?.port ?? REDIS_PORT] };
  }
  const ports = redisPorts(service);
  return ports.length > 0 ? { ports } : { problem: noRedisPort(service) };
}

/** The port of a route that names none or one, on a listener with that host and port. */
export function routePort(
  host: Host,
  stated: number | undefined,
  listener: { readonly host: Host; readonly port: number },
): { readonly port: number } | { readonly problem: string } {
  const service = host.service ?? host.entry;
  if (service === undefined) {
    return { port: stated ?? (host.id === listener.host.id ? listener.port : REDIS_PORT) };
  }
  const has = (port: number): boolean => service.ports.some((candidate) => candidate.port === port);
  if (stated !== undefined) {
    if (has(stated)) return { port: stated };
    return {
      problem: `${service.kind} ${service.namespace}/${service.name} has no port ${stated}; it has ${listPorts(service)}`,
    };
  }
  if (has(listener.port)) return { port: listener.port };
  const [only, ...others] = redisPorts(service);
  if (only === undefined) return { problem: noRedisPort(service) };
  if (others.length === 0) return { port: only };
  return {
    problem: `${service.kind} ${service.namespace}/${service.name} has several Redis ports; name one of ${listPorts(service)} in port`,
  };
}

function noRedisPort(service: Ported): string {
  const name = `${service.kind} ${service.namespace}/${service.name}`;
  if (service.ports.length === 0)
    return `${name} has no ports; add the one that Redis listens on, named redis`;
  return (
    `${name} has no port for Redis among ${listPorts(service)}; ` +
    `name one redis, give it appProtocol redis, or let it be ${REDIS_PORT}`
  );
}

function listPorts(service: Ported): string {
  if (service.ports.length === 0) return 'no ports at all';
  return service.ports.map(({ port, name }) => (name === '' ? `${port}` : `${port} (${name})`)).join(', ');
}
