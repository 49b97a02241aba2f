/**
 * TLS of scripted nodes, and of the proxy's listener: their connections, and what plans say of it.
 */
import { connect, type Socket } from 'node:net';
import { connect as connectTls, createSecureContext, TLSSocket, type SecureContext } from 'node:tls';

import type { UpstreamTls } from '../../../src/plan/routing-plan.ts';
import { ListenerTls } from '../../../src/proxy/listener-tls.ts';
import { createAuthority, type KeyPair } from '../../../src/tls/authority.ts';
import { validForSeconds } from '../../tls/certificates.ts';

export const UNVERIFIED: UpstreamTls = {
  serverName: 'redis',
  skipVerification: true,
  authorities: undefined,
  certificate: undefined,
};

const VALID_S = 24 * 3_600;
let made: Promise<KeyPair> | undefined;

/** The same for all. */
async function pair(): Promise<KeyPair> {
  return await (made ??= make());
}

async function make(): Promise<KeyPair> {
  const authority = await createAuthority(validForSeconds(VALID_S));
  return await authority.issueServer(['redis'], validForSeconds(VALID_S));
}

export async function secureContext(): Promise<SecureContext> {
  const { certificate, key } = await pair();
  return createSecureContext({ cert: certificate, key });
}

export async function listenerTls(): Promise<ListenerTls> {
  const { certificate, key } = await pair();
  return new ListenerTls({ cert: Buffer.from(certificate), key: Buffer.from(key), ca: undefined });
}

/** As a client of the proxy. */
export function dial(port: number, isSecured: boolean): Socket {
  const to = { host: '127.0.0.1', port };
  return isSecured ? connectTls({ ...to, rejectUnauthorized: false }) : connect(to);
}

/** What is said over it. */
export function secured(carrier: Socket, context: SecureContext | undefined): Socket {
  if (context === undefined) return carrier;
  return new TLSSocket(carrier, { isServer: true, secureContext: context });
}
