/**
 * What a host name in an object means: a Service of the World, a ServiceEntry of a mesh, or a DNS name.
 */
import { isIP } from 'node:net';

import { hostKey, plainName, serviceOfHostKey } from '../api/host-name.ts';
import type { RedisService, Service, ServiceEntry } from '../api/objects.ts';
import type { WorldReader } from '../world/world-reader.ts';
import { oldest } from './age.ts';

export interface Host {
  /** The normal form that the World's indexes use. */
  readonly key: string;
  /** What listeners and upstreams are named by: the Service's full name, else the DNS name. */
  readonly id: string;
  readonly service: Service | undefined;
  /** Where there is no Service. */
  readonly entry: ServiceEntry | undefined;
  /** The name to resolve where no endpoints are known. */
  readonly dnsName: string;
  /** Set where the name looks like one of the cluster's but has no Service: `NAMESPACE/NAME` of the missing one. */
  readonly missingService: string | undefined;
  /** undefined: not a name of the cluster, so every namespace governs it for itself only. */
  readonly namespace: string | undefined;
  /**
   * Whose objects mean this by the name, where others see another ServiceEntry, or none, or a host of their own; undefined:
   * everybody's.
   */
  readonly meantBy: string | undefined;
}

/** Reads a host as an object of that namespace writes it. */
export function resolveHost(world: WorldReader, text: string, namespace: string): Host {
  const [dnsName, key] = namesOf(text, namespace, world.clusterDomain);
  const dns: Host = {
    key,
    id: dnsName,
    service: undefined,
    entry: undefined,
    dnsName,
    missingService: undefined,
    namespace: undefined,
    meantBy: undefined,
  };
  const named = serviceOfHostKey(key, world.clusterDomain);
  const service = named && world.service(named.namespace, named.name);
  if (named !== undefined && service !== undefined) {
    const externalName = service.externalName;
    return { ...dns, id: key, service, dnsName: externalName ?? key, namespace: named.namespace };
  }
  for (const name of new Set([dnsName, key])) {
    const entries = world.entries(name);
    const entry = entryFor(namespace, entries);
    if (entry === undefined) continue;
    const isEverybodys = entries.length === 1 && isExported(entry, '*');
    const meantBy = isEverybodys ? undefined : namespace;
    return { ...dns, id: name, entry, dnsName: name, namespace: entry.namespace, meantBy };
  }
  if (named === undefined) return dns;
  const labels = dnsName.split('.');
  // `redis.example` is `name.namespace` only where there is such a namespace; else it is somebody's domain.
  if (dnsName === 'localhost' || (labels.length === 2 && !world.hasNamespace(labels[1] ?? ''))) return dns;
  // A name of one label is another host in every namespace; with its Service it has been written out.
  const meantBy = labels.length === 1 ? namespace : undefined;
  return { ...dns, missingService: `${named.namespace}/${named.name}`, namespace: named.namespace, meantBy };
}

/** The DNS name as it is written, and the normal form: a ServiceEntry may have either. */
export function namesOf(text: string, namespace: string, clusterDomain: string): readonly [string, string] {
  return [plainName(text), hostKey(text, namespace, clusterDomain)];
}

/** Of those that a namespace sees, its own come first; the older wins, as in Istio. */
function entryFor(namespace: string, entries: readonly ServiceEntry[]): ServiceEntry | undefined {
  const seen = entries.filter((entry) => entry.namespace === namespace || isExported(entry, namespace));
  return oldest(seen.filter((entry) => entry.namespace === namespace)) ?? oldest(seen);
}

function isExported({ exportTo }: ServiceEntry, namespace: string): boolean {
  return exportTo === undefined || exportTo.includes('*') || exportTo.includes(namespace);
}

/**
 * The name to look up. A full name of the cluster ends with a dot: neither search domains nor /etc/hosts change it, where
 * `translate --to hosts` may lead it to the very listener that wants to know.
 */
export function lookupName({ key, dnsName, namespace, entry }: Host): string {
  return namespace !== undefined && entry === undefined && dnsName === key ? `${dnsName}.` : dnsName;
}

/** All that commands, or copies of them, may go to by the object's own rules. */
export function routedHosts({ rules }: RedisService): readonly string[] {
  return rules.flatMap(({ host, reads, mirrors }) => [
    host,
    ...(reads === undefined ? [] : [reads.host]),
    ...mirrors.map((mirror) => mirror.host),
  ]);
}

/** IP addresses that clients find by a host's name and that stand for it as a whole, or why there are none. */
export type HostAddresses =
  | {
      readonly kind: 'known';
      readonly addresses: readonly string[];
      /** A Service's are given by the cluster, each once; whoever writes a ServiceEntry writes what they like. */
      readonly of: 'service' | 'entry';
    }
  /**
   * `headless`: the name leads to the pods; `external`: to another name; `unassigned`: the Service has none yet, or its
   * file does not say it; `entry`: the ServiceEntry has none, or blocks only; `gone`: its Service is not there;
   * `unknown`: no object says what the host is.
   */
  | {
      readonly kind: 'none';
      readonly why: 'headless' | 'external' | 'unassigned' | 'entry' | 'gone' | 'unknown';
    };

export function addressesOf({ service, entry, missingService }: Host): HostAddresses {
  if (service?.externalName !== undefined) return { kind: 'none', why: 'external' };
  if (service?.isHeadless === true) return { kind: 'none', why: 'headless' };
  if (service !== undefined) return known(service.clusterIps, 'service', 'unassigned');
  if (entry === undefined) return { kind: 'none', why: missingService === undefined ? 'unknown' : 'gone' };
  // A block of addresses is no address.
  return known(
    entry.addresses.filter((address) => isIP(address) !== 0),
    'entry',
    'entry',
  );
}

function known(
  addresses: readonly string[],
  of: 'service' | 'entry',
  otherwise: 'unassigned' | 'entry',
): HostAddresses {
  return addresses.length === 0 ? { kind: 'none', why: otherwise } : { kind: 'known', addresses, of };
}
