/**
 * Arguments that several commands take.
 */
import { BlockList, isIP } from 'node:net';
import { networkInterfaces } from 'node:os';

import { InvalidArgumentError, Option } from 'commander';

import { hostProblem } from '../api/host-port.ts';
import { parseNamespaces } from '../api/service-annotations.ts';
import { isOlder, NEWEST_ENVOY, OLDEST_ENVOY } from '../envoy/envoy-version.ts';
import { AUTO_BIND } from '../plan/view.ts';

import type { HostAndPort } from '../xds/index.ts';

/** A name may have what no resolver minds (`my_redis`), but nothing that belongs to a URL, a list or the quotes of a shell. */
const ADDRESS = /^(?:\[(?<v6>[0-9A-Fa-f:.]+)\]|(?<host>[^\s:[\]/@,;'"\\]+)):(?<port>\d{1,5})$/;

/** `HOST:PORT` or `[V6]:PORT`. */
export function parseAddress(text: string): HostAndPort {
  const parts = ADDRESS.exec(text)?.groups;
  const host = parts?.['v6'] ?? parts?.['host'];
  const port = Number(parts?.['port']);
  if (host === undefined || (parts?.['v6'] !== undefined && isIP(host) !== 6) || port > 65_535) {
    if (text.includes('@'))
      throw new InvalidArgumentError('write HOST:PORT, without a user or password before it');
    if (text.includes('://')) throw new InvalidArgumentError('write HOST:PORT, without a scheme before it');
    throw new InvalidArgumentError('write HOST:PORT or [IPV6]:PORT');
  }
  // No resolver takes it, which says "EINVAL" of one and "ENOTFOUND" of the other.
  if (host.length > 253 || host.split('.').some((label) => label.length > 63))
    throw new InvalidArgumentError('a host has at most 253 characters, and 63 between two dots; shorten it');
  return { host, port };
}

/** Clients of both kinds come to `::`, where there is IPv6. */
export function everyAddress(interfaces = networkInterfaces()): string {
  const all = Object.values(interfaces).flatMap((addresses = []) => addresses);
  return all.some(({ family }) => family === 'IPv6') ? '::' : '0.0.0.0';
}

/** Where to listen: `:PORT` is every address. */
export function parseListening(text: string): HostAndPort {
  if (/^\d{1,5}$/.test(text))
    throw new InvalidArgumentError(`write 127.0.0.1:${text}, or :${text} for every address`);
  const isEvery = /^:\d/.test(text);
  const { host, port } = parseAddress(isEvery ? `0.0.0.0${text}` : text);
  return { host: isEvery ? everyAddress() : host, port };
}

/** Of what runs already: there nobody takes a free port. */
export function parseRemote(text: string): HostAndPort {
  const address = parseAddress(text);
  if (address.port === 0) throw new InvalidArgumentError('write the port that it listens on, 1 to 65535');
  return address;
}

export function addressOption(
  flags: string,
  description: string,
  byDefault: string,
  parse = parseAddress,
): Option {
  return new Option(flags, description).argParser(parse).default(parse(byDefault), byDefault);
}

/** Gathers an option that may be repeated, or may name several values at once. */
export function collect(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}

/** An IP address, or `auto`. */
export function parseBind(text: string): string {
  if (isIP(text) !== 0 || text === AUTO_BIND) return text;
  throw new InvalidArgumentError(
    'write an IP address, or auto for a loopback address of its own for each host',
  );
}

/** `CIDR,…`. */
export function parseNetworks(text: string): BlockList {
  const list = new BlockList();
  for (const network of text.split(',').map((part) => part.trim())) {
    const [address = '', prefix = '', ...rest] = network.split('/');
    const family = isIP(address);
    const bits = Number(prefix);
    if (family === 0 || rest.length > 0 || !/^\d{1,3}$/.test(prefix) || bits > (family === 4 ? 32 : 128)) {
      throw new InvalidArgumentError(
        `write networks as ADDRESS/BITS joined by commas, for example 10.0.0.0/8`,
      );
    }
    list.addSubnet(address, bits, family === 4 ? 'ipv4' : 'ipv6');
  }
  return list;
}

/** As the annotation redpilot.dev/export-to; `*` is everybody. */
export function parseExportTo(text: string): readonly string[] {
  const { value, problem } = parseNamespaces(text);
  if (problem !== undefined) throw new InvalidArgumentError(problem);
  return value;
}

/** `*`, or namespaces joined by commas; an object's own needs no leave. */
export function parseIstioNamespaces(text: string): readonly string[] {
  const namespaces = parseExportTo(text);
  if (namespaces.includes('.')) throw new InvalidArgumentError('write namespaces by name, or "*"');
  return namespaces;
}

export function parsePriority(text: string): number {
  if (/^-?\d{1,9}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('write a whole number, for example 10');
}

/** Of a password, key or certificate. An empty name is no leave to do without: whoever gave it wanted to be safe. */
export function parseFile(text: string): string {
  if (text === '') throw new InvalidArgumentError('write the path of a file, or leave it out altogether');
  return text;
}

/** As Kubernetes names them (RFC 1123, a label). */
export function parseNamespace(text: string): string {
  if (!/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(text))
    throw new InvalidArgumentError('write the name of a namespace: lower case letters, digits and -');
  return text;
}

export function collectNamespaces(text: string, before: readonly string[] | undefined): readonly string[] {
  return collect(parseNamespace(text), before);
}

export function parseNodeId(text: string): string {
  if (text.trim() === '') throw new InvalidArgumentError('write a name, for example the name of the pod');
  return text;
}

export function parseHosts(text: string): readonly string[] {
  const hosts = text.split(',').map((host) => host.trim());
  for (const host of hosts) {
    const problem = host === '' ? 'write hosts with a comma between them' : hostProblem(host);
    if (problem !== undefined) throw new InvalidArgumentError(problem);
  }
  return hosts;
}

/** An empty one is a variable that was not set. */
export function parseZone(text: string): string {
  if (text.trim() === '') throw new InvalidArgumentError('write the name of a zone, or leave it out');
  return text;
}

/** `1.36` or `1.36.4`. */
export function parseVersion(text: string): string {
  if (!/^\d{1,3}\.\d{1,3}(\.\d{1,3})?$/.test(text))
    throw new InvalidArgumentError("write Envoy's version, for example 1.36");
  if (isOlder(text, OLDEST_ENVOY))
    throw new InvalidArgumentError(
      `it is too old; ${OLDEST_ENVOY} to ${NEWEST_ENVOY} are supported, and later ones like ${NEWEST_ENVOY}`,
    );
  return text;
}

export const CLUSTER_DOMAIN = 'cluster.local';

/** In the form that host names are compared in: in lower case, without a final dot. */
export function clusterDomainOption(): Option {
  return new Option('--cluster-domain <domain>', 'what the full names of Services end with')
    .argParser((text) => {
      const domain = text.toLowerCase().replace(/\.$/, '');
      if (hostProblem(domain) === undefined) return domain;
      throw new InvalidArgumentError('write a domain, for example cluster.local');
    })
    .default(CLUSTER_DOMAIN);
}
