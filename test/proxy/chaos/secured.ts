/**
 * TLS of scripted nodes: their connections, and what plans say of it.
 */
import type { Socket } from 'node:net';
import { createSecureContext, TLSSocket, type SecureContext } from 'node:tls';

import type { UpstreamTls } from '../../../src/plan/routing-plan.ts';
import { createAuthority } from '../../../src/tls/authority.ts';
import { validForSeconds } from '../../tls/certificates.ts';

export const UNVERIFIED: UpstreamTls = {
  serverName: 'redis',
  skipVerification: true,
  authorities: undefined,
  certificate: undefined,
};

const VALID_S = 24 * 3_600;
let made: Promise<SecureContext> | undefined;

/** The same for all. */
export async function secureContext(): Promise<SecureContext> {
  return await (made ??= make());
}

async function make(): Promise<SecureContext> {
  const authority = await createAuthority(validForSeconds(VALID_S));
  const { certificate, key } = await authority.issueServer(['redis'], validForSeconds(VALID_S));
  return createSecureContext({ cert: certificate, key });
}

/** What is said over it. */
export function secured(carrier: Socket, context: SecureContext | undefined): Socket {
  if (context === undefined) return carrier;
  return new TLSSocket(carrier, { isServer: true, secureContext: context });
}
