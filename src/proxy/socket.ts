/**
 * A socket to Redis, plain or TLS, that reads into a buffer of the caller's.
 */
import { connect, isIP, type Socket } from 'node:net';
import { checkServerIdentity, connect as connectTls, type ConnectionOptions } from 'node:tls';

import type { UpstreamTls } from '../plan/routing-plan.ts';

export interface SocketOptions {
  readonly host: string;
  readonly port: number;
  readonly connectTimeoutMs: number;
  readonly keepaliveMs: number;
  readonly tls: UpstreamTls | undefined;
}

export function openSocket(
  { host, port, keepaliveMs, tls }: SocketOptions,
  buffer: Buffer,
  read: (length: number) => void,
): Socket {
  const options = {
    host,
    port,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: keepaliveMs,
    onread: {
      buffer,
      callback: (length: number): boolean => {
        read(length);
        return true;
      },
    },
  };
  return tls === undefined ? connect(options) : connectTls({ ...options, ...tlsOptions(tls) });
}

export function tlsOptions(tls: UpstreamTls): ConnectionOptions {
  const { serverName, skipVerification, authorities, certificate } = tls;
  return {
    // An address is never asked for (RFC 6066), but the certificate must be for it all the same.
    ...(isIP(serverName) === 0 ? { servername: serverName } : {}),
    checkServerIdentity: (_host, certificate) => checkServerIdentity(serverName, certificate),
    rejectUnauthorized: !skipVerification,
    ...(authorities === undefined ? {} : { ca: authorities.reveal() }),
    ...(certificate === undefined ? {} : { cert: certificate.chain.reveal(), key: certificate.key.reveal() }),
  };
}
