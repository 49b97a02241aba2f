/**
 * Host names as objects write them, and the one form that names the same service everywhere.
 */
import { isIP } from 'node:net';

import { inOneForm } from './host-port.ts';

export interface ServiceName {
  readonly name: string;
  readonly namespace: string;
}

/**
 * `name`, `name.namespace`, `name.namespace.svc` and the full name become the full name; all else (a name with other
 * labels, an IP address) stays as it is, in lower case and without a final dot.
 */
export function hostKey(text: string, namespace: string, clusterDomain: string): string {
  const host = plainName(text);
  if (isIP(host) !== 0) return host;
  const labels = host.split('.');
  if (labels.length === 1) return `${host}.${namespace}.svc.${clusterDomain}`;
  if (labels.length === 2) return `${host}.svc.${clusterDomain}`;
  if (labels.length === 3 && labels[2] === 'svc') return `${host}.${clusterDomain}`;
  return host;
}

/** In lower case and without a final dot, as all that is one host is written. */
export function plainName(text: string): string {
  return inOneForm(text.toLowerCase().replace(/\.$/, ''));
}

/** The Service that a host in that form names; undefined for a name outside the cluster. */
export function serviceOfHostKey(key: string, clusterDomain: string): ServiceName | undefined {
  const suffix = `.svc.${clusterDomain}`;
  if (!key.endsWith(suffix)) return undefined;
  const [name, namespace, ...rest] = key.slice(0, -suffix.length).split('.');
  if (name === undefined || namespace === undefined || rest.length > 0) return undefined;
  return { name, namespace };
}
