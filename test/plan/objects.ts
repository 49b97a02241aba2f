/** Objects for planning tests: complete, with what a test does not care about filled in. */
import type {
  EndpointSlice,
  RedisDestination,
  RedisService,
  RouteRule,
  Secret,
  Service,
  ServiceEntry,
  ServiceAnnotations,
} from '../../src/api/objects.ts';
import { SecretText } from '../../src/api/secret-text.ts';

const header = { namespace: 'redis', createdMs: Number.POSITIVE_INFINITY, locate: () => undefined };

export function redisService(fields: Partial<RedisService> = {}): RedisService {
  const hosts = fields.hosts ?? ['redis-cluster'];
  return {
    ...header,
    kind: 'RedisService',
    name: 'redis-cluster',
    hosts,
    readPolicy: 'MASTER',
    opTimeoutMs: 5_000,
    enableRedirection: undefined,
    caseInsensitive: false,
    enableHashtagging: false,
    enableCommandStats: false,
    batching: undefined,
    maxUpstreamUnknownConnections: undefined,
    auth: undefined,
    rules: [rule({ host: hosts[0] ?? '' })],
    faults: [],
    annotations: NO_ANNOTATIONS,
    ...fields,
  };
}

/** What an object without annotations has. */
export const NO_ANNOTATIONS: ServiceAnnotations = {
  listen: [],
  exportTo: undefined,
  protocol: 'RESP2',
  zoneAffinity: false,
  guards: true,
  istioNamespaces: [],
  istioSecrets: undefined,
  istioPortWide: false,
};

export function rule(fields: Partial<RouteRule> = {}): RouteRule {
  return {
    prefix: '',
    removePrefix: false,
    host: 'redis-cluster',
    port: undefined,
    reads: undefined,
    mirrors: [],
    ...fields,
  };
}

export function redisDestination(fields: Partial<RedisDestination> = {}): RedisDestination {
  return {
    ...header,
    kind: 'RedisDestination',
    name: 'redis-cluster',
    host: 'redis-cluster',
    mode: undefined,
    auth: undefined,
    discoveryEndpoints: [],
    connectTimeoutMs: undefined,
    maxConnections: undefined,
    tcpKeepalive: undefined,
    tls: undefined,
    ...fields,
  };
}

export function service(fields: Partial<Service> = {}): Service {
  return {
    ...header,
    kind: 'Service',
    name: 'redis-cluster',
    hasSelector: false,
    isHeadless: false,
    clusterIps: [],
    externalName: undefined,
    ports: [{ name: 'redis', port: 6379, targetPort: undefined, appProtocol: undefined }],
    ...fields,
  };
}

/** Of `redis.example.com`, found by DNS. */
export function serviceEntry(fields: Partial<ServiceEntry> = {}): ServiceEntry {
  return {
    ...header,
    kind: 'ServiceEntry',
    name: 'outside',
    hosts: ['redis.example.com'],
    addresses: [],
    ports: [{ name: 'tcp', port: 6379, targetPort: undefined, appProtocol: 'tcp' }],
    resolution: 'DNS',
    endpoints: [],
    exportTo: undefined,
    ...fields,
  };
}

/** The slice of a Service, with these addresses. */
export function slice(addresses: readonly string[], fields: Partial<EndpointSlice> = {}): EndpointSlice {
  return {
    ...header,
    kind: 'EndpointSlice',
    name: `${fields.serviceName ?? 'redis-cluster'}-1`,
    serviceName: 'redis-cluster',
    addressType: 'IPv4',
    ports: [{ name: 'redis', port: 6379 }],
    endpoints: addresses.map((address) => ({ addresses: [address], targetName: undefined })),
    ...fields,
  };
}

export function secret(values: Readonly<Record<string, string>>, fields: Partial<Secret> = {}): Secret {
  return {
    ...header,
    kind: 'Secret',
    refusal: undefined,
    name: 'password',
    type: 'Opaque',
    data: new Map(Object.entries(values).map(([key, value]) => [key, new SecretText(value)])),
    ...fields,
  };
}
