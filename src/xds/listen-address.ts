/**
 * Where the server may listen: on loopback, as long as it speaks without TLS.
 */
import { isIPv4 } from 'node:net';

import { addressOf } from '../api/host-port.ts';

export interface HostAndPort {
  readonly host: string;
  readonly port: number;
}

export function formatAddress({ host, port }: HostAndPort): string {
  return addressOf(host, port);
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'));
}

/** Fails with one line where the server will not listen there. */
export function checkMayListen(
  address: HostAndPort,
  { tls, insecure = false }: { readonly tls?: object | undefined; readonly insecure?: boolean | undefined },
): void {
  if (tls !== undefined || insecure || isLoopback(address.host)) return;
  throw new Error(
    `xDS address "${formatAddress(address)}" is not on loopback, and passwords of Redis would cross the network ` +
      `in clear text; give it certificates (--tls-cert, --tls-key, --tls-ca; redpilot certs makes them), write ` +
      `"${formatAddress({ host: '127.0.0.1', port: address.port })}", or allow it with --insecure`,
  );
}
