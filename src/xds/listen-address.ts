/**
 * Where the server may listen: on loopback, as long as it speaks without TLS.
 */
import { isIPv4, isIPv6 } from 'node:net';

export interface HostAndPort {
  readonly host: string;
  readonly port: number;
}

export function formatAddress({ host, port }: HostAndPort): string {
  return `${isIPv6(host) ? `[${host}]` : host}:${port}`;
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'));
}

/** Why the server will not listen there; undefined where it will. */
export function refusalToListen(address: HostAndPort, insecure: boolean): string | undefined {
  if (insecure || isLoopback(address.host)) return undefined;
  return (
    `xDS address "${formatAddress(address)}" is not on loopback, and passwords of Redis would cross the network ` +
    `in clear text; give it certificates (--tls-cert, --tls-key, --tls-ca; redpilot certs makes them), write ` +
    `"${formatAddress({ host: '127.0.0.1', port: address.port })}", or allow it with --insecure`
  );
}
