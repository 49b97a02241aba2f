/**
 * Service, EndpointSlice, Secret, and Istio's ServiceEntry: the little that is read of them. What else they hold is Kubernetes' business.
 */
import { isIP } from 'node:net';

import type { Fields } from './fields.ts';
import { hostProblem } from './host-port.ts';
import type {
  Endpoint,
  EndpointSlice,
  EntryEndpoint,
  ObjectHeader,
  Secret,
  Service,
  ServiceEntry,
  ServicePort,
} from './objects.ts';
import type { Report } from './report.ts';
import { SecretText } from './secret-text.ts';

export function parseService(root: Fields, header: ObjectHeader, report: Report): Service | undefined {
  const spec = root.map('spec');
  const selector = spec?.map('selector');
  const ports = (spec?.maps('ports') ?? []).flatMap((fields) => parseServicePort(fields) ?? []);
  const externalName = spec?.text('type') === 'ExternalName' ? parseExternalName(spec) : undefined;
  const clusterIp = spec?.text('clusterIP');
  const isHeadless = clusterIp === 'None';
  const listed = (spec?.texts('clusterIPs') ?? []).map(({ text }) => text);
  const addresses = listed.length > 0 || clusterIp === undefined ? listed : [clusterIp];
  if (report.hasErrors) return undefined;
  return {
    kind: 'Service',
    ...header,
    hasSelector: selector !== undefined && !selector.isEmpty,
    isHeadless,
    clusterIps: addresses.filter((address) => isIP(address) !== 0),
    externalName,
    ports,
  };
}

/** Checked here, since Envoy would refuse a cluster without a name to look up. */
function parseExternalName(spec: Fields): string | undefined {
  const name = spec.text('externalName') ?? '';
  const problem = hostProblem(name);
  if (problem !== undefined) spec.invalid('externalName', problem);
  return name;
}

function parseServicePort(fields: Fields): ServicePort | undefined {
  const port = fields.port('port');
  if (port === undefined) {
    if (!fields.has('port')) fields.invalid('port', 'is missing; write the number of the port');
    return undefined;
  }
  // One number may be there for TCP and for UDP, which is not for Redis.
  if ((fields.text('protocol') ?? 'TCP') !== 'TCP') return undefined;
  return {
    name: fields.text('name') ?? '',
    port,
    targetPort: fields.numberOnly('targetPort'),
    appProtocol: fields.text('appProtocol'),
  };
}

const ADDRESS_TYPES: readonly EndpointSlice['addressType'][] = ['IPv4', 'IPv6', 'FQDN'];

export function parseEndpointSlice(
  root: Fields,
  header: ObjectHeader,
  labels: ReadonlyMap<string, string>,
  report: Report,
): EndpointSlice | undefined {
  const addressType = root.choice('addressType', 'an address type', ADDRESS_TYPES);
  if (!root.has('addressType'))
    root.invalid('addressType', `is missing; write one of ${ADDRESS_TYPES.join(', ')}`);
  const ports = root.maps('ports').flatMap((fields) => {
    const port = fields.port('port');
    return port === undefined ? [] : [{ name: fields.text('name') ?? '', port }];
  });
  const endpoints = root.maps('endpoints').map((fields): Endpoint => ({
    addresses: parseAddresses(fields, addressType, report),
    targetName: fields.map('targetRef')?.text('name'),
  }));
  if (report.hasErrors || addressType === undefined) return undefined;
  return {
    kind: 'EndpointSlice',
    ...header,
    serviceName: labels.get('kubernetes.io/service-name'),
    addressType,
    ports,
    endpoints,
  };
}

/** Checked here, since one address that is none would make Envoy refuse all endpoints of the host. */
function parseAddresses(
  fields: Fields,
  addressType: EndpointSlice['addressType'] | undefined,
  report: Report,
): readonly string[] {
  return fields.texts('addresses').map(({ text, path }) => {
    const problem = addressProblem(text, addressType);
    if (problem !== undefined) report.invalid(path, problem);
    return text;
  });
}

function addressProblem(
  text: string,
  addressType: EndpointSlice['addressType'] | undefined,
): string | undefined {
  const version = { IPv4: 4, IPv6: 6, FQDN: undefined }[addressType ?? 'FQDN'];
  if (version === undefined) return hostProblem(text);
  return isIP(text) === version
    ? undefined
    : `"${text}" is not an ${addressType} address; write one, or correct addressType`;
}

/** Istio has checked it; what is not as expected is passed over there, too. */
export function parseServiceEntry(
  root: Fields,
  header: ObjectHeader,
  report: Report,
): ServiceEntry | undefined {
  const spec = root.map('spec');
  const given = root.map('status')?.maps('addresses') ?? [];
  const texts = (name: string): readonly string[] => (spec?.texts(name) ?? []).map(({ text }) => text);
  const ports = (spec?.maps('ports') ?? []).flatMap((fields): ServicePort[] => {
    const port = fields.port('number');
    if (port === undefined) return [];
    const appProtocol = fields.text('protocol')?.toLowerCase();
    const name = fields.text('name') ?? '';
    return [{ name, port, targetPort: fields.numberOnly('targetPort'), appProtocol }];
  });
  const endpoints = (spec?.maps('endpoints') ?? []).flatMap((fields): EntryEndpoint[] => {
    const address = fields.text('address');
    if (address === undefined || address === '') return [];
    const named = fields.map('ports');
    const numbers = (named?.names ?? []).flatMap((name) => {
      const port = named?.port(name);
      return port === undefined ? [] : [[name, port] as const];
    });
    return [{ address, ports: new Map(numbers) }];
  });
  if (report.hasErrors) return undefined;
  const stated = texts('addresses');
  const exportTo = texts('exportTo');
  return {
    kind: 'ServiceEntry',
    ...header,
    hosts: texts('hosts').map((host) => host.toLowerCase()),
    addresses: stated.length > 0 ? stated : given.flatMap((fields) => fields.text('value') ?? []),
    ports,
    resolution: spec?.text('resolution') ?? 'NONE',
    endpoints,
    exportTo: exportTo.length === 0 ? undefined : exportTo,
  };
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

export function parseSecret(root: Fields, header: ObjectHeader, report: Report): Secret | undefined {
  const type = root.text('type') ?? 'Opaque';
  const data = new Map<string, SecretText>();
  const { namespace, name } = header;
  const read = (field: string, content: string | Buffer): void =>
    void data.set(field, new SecretText(content, { namespace, name, field, isTrimmed: false }));
  const encoded = root.secretMap('data');
  for (const key of encoded?.names ?? []) {
    const text = encoded?.secret(key)?.reveal().replaceAll(/\s/g, '');
    if (text === undefined) continue;
    if (BASE64.test(text)) read(key, Buffer.from(text, 'base64'));
    else encoded?.invalid(key, 'is not base64; encode the value, or write it as it is under stringData');
  }
  const plain = root.secretMap('stringData');
  for (const key of plain?.names ?? []) {
    const text = plain?.secret(key);
    if (text !== undefined) read(key, text.reveal());
  }
  if (report.hasErrors) return undefined;
  return { kind: 'Secret', ...header, type, data, refusal: undefined };
}
