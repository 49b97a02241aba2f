/**
 * TLS as a client, as Node takes it: the same for commands to a server and for questions about it.
 */
import { isIP } from 'node:net';
import {
  checkServerIdentity,
  createSecureContext,
  getCACertificates,
  type ConnectionOptions,
  type SecureContext,
} from 'node:tls';

import type { QuestionTls } from '../../world/observation.ts';

export function clientTlsOptions(tls: QuestionTls): ConnectionOptions {
  const { serverName, skipVerification } = tls;
  return {
    // An address is never asked for (RFC 6066), but the certificate must be for it all the same.
    ...(isIP(serverName) === 0 ? { servername: serverName } : {}),
    checkServerIdentity: (_host, presented) => checkServerIdentity(serverName, presented),
    rejectUnauthorized: !skipVerification,
    ...trust(tls),
  };
}

/** Whom we believe, and what we present. Throws where OpenSSL does not take that. */
function trust({ authorities, certificate, skipVerification }: QuestionTls): ConnectionOptions {
  const ours =
    certificate === undefined ? {} : { cert: certificate.chain.reveal(), key: certificate.key.reveal() };
  if (authorities !== undefined) return { ca: authorities.reveal(), ...ours };
  if (skipVerification) return ours;
  const known = ofSystem.get(certificate ?? NOTHING);
  if (known !== undefined) return { secureContext: known };
  // Not those that Node brings along: Envoy, too, goes by what its machine trusts.
  const secureContext = createSecureContext({ ca: getCACertificates('system'), ...ours });
  ofSystem.set(certificate ?? NOTHING, secureContext);
  return { secureContext };
}

/** By what we present: reading some hundred authorities for each connection would take 50 ms (measured). */
const ofSystem = new WeakMap<object, SecureContext>();
const NOTHING = {};
