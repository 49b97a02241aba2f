/**
 * Objects in a form that can be stored and parsed again: our own as they were written, Services and EndpointSlices as far
 * as they are read.
 */
import type { ApiObject, EndpointSlice, Service, ServiceEntry } from '../../api/objects.ts';
import type { RawObject } from './reflector.ts';

const rawOfOwn = new WeakMap<ApiObject, RawObject>();

/** What is stored as it was written. */
export function isOurs({ kind }: Pick<ApiObject, 'kind'>): boolean {
  return kind === 'RedisService' || kind === 'RedisDestination';
}

const OURS = 'redpilot.dev/';

/** What of an object of ours decides what becomes of it. */
export function remember(object: ApiObject, raw: RawObject): void {
  const { metadata, ...rest } = raw as RawObject & {
    readonly metadata: {
      readonly annotations?: Readonly<Record<string, string>>;
      readonly creationTimestamp?: string;
      readonly uid?: string;
    };
  };
  const { name, namespace, uid, creationTimestamp } = metadata;
  const annotations = Object.fromEntries(
    Object.entries(metadata.annotations ?? {}).filter(([key]) => key.startsWith(OURS)),
  );
  const { apiVersion, kind, spec } = rest as Readonly<Record<string, unknown>>;
  const kept = { name, namespace, uid, creationTimestamp, annotations };
  rawOfOwn.set(object, { apiVersion, kind, metadata: kept, spec } as unknown as RawObject);
}

/** undefined for what must not be stored: Secrets, and objects that hold a password themselves. */
export function storable(object: ApiObject): RawObject | undefined {
  switch (object.kind) {
    case 'RedisService':
    case 'RedisDestination':
      return object.auth?.kind === 'plain' ? undefined : rawOfOwn.get(object);
    case 'Service':
      return rawService(object);
    case 'EndpointSlice':
      return rawSlice(object);
    case 'ServiceEntry':
      return rawEntry(object);
    case 'Secret':
      return undefined;
  }
}

function rawService(service: Service): RawObject {
  const { namespace, name, hasSelector, isHeadless, clusterIps, externalName, ports } = service;
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace, name },
    spec: {
      ...(hasSelector ? { selector: { any: 'any' } } : {}),
      ...(isHeadless ? { clusterIP: 'None' } : { clusterIPs: clusterIps }),
      ...(externalName === undefined ? {} : { type: 'ExternalName', externalName }),
      ports,
    },
  } as RawObject;
}

function rawSlice(slice: EndpointSlice): RawObject {
  const { namespace, name, serviceName, addressType, ports, endpoints } = slice;
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { namespace, name, labels: { 'kubernetes.io/service-name': serviceName } },
    addressType,
    ports,
    endpoints: endpoints.map(({ addresses, targetName }) => ({
      addresses,
      ...(targetName === undefined ? {} : { targetRef: { name: targetName } }),
    })),
  } as RawObject;
}

function rawEntry(entry: ServiceEntry): RawObject {
  const { namespace, name, hosts, addresses, resolution, endpoints, exportTo, ports } = entry;
  return {
    apiVersion: 'networking.istio.io/v1',
    kind: 'ServiceEntry',
    metadata: { namespace, name },
    spec: {
      hosts,
      addresses,
      resolution,
      exportTo: exportTo ?? [],
      ports: ports.map(({ name, port, targetPort, appProtocol }) => ({
        name,
        number: port,
        targetPort,
        protocol: appProtocol,
      })),
      endpoints: endpoints.map(({ address, ports }) => ({ address, ports: Object.fromEntries(ports) })),
    },
  } as RawObject;
}
