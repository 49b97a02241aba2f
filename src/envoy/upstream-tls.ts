/**
 * TLS towards Redis as Envoy's transport socket; it serves traffic, discovery and health checks alike.
 */
import { isIP } from 'node:net';

import type { UpstreamTls } from '../plan/routing-plan.ts';
import { any } from './codec.ts';
import type { TransportSocket } from './protos/envoy/config/core/v3/TransportSocket.ts';
import type { CertificateValidationContext } from './protos/envoy/extensions/transport_sockets/tls/v3/CertificateValidationContext.ts';
import type { PlaceSecret } from './secret-place.ts';

/**
 * On the machine of the Envoy: where Debian, Ubuntu, Alpine and Envoy's own images have them. Envoy 1.40 knows no way to
 * ask for "the system's", and refuses the cluster where the file is missing.
 */
export const SYSTEM_AUTHORITIES = '/etc/ssl/certs/ca-certificates.crt';

export function tlsSocket(tls: UpstreamTls, secrets: PlaceSecret): TransportSocket {
  const { serverName, skipVerification, certificate } = tls;
  return {
    name: 'envoy.transport_sockets.tls',
    typed_config: any('envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext', {
      common_tls_context: {
        // Envoy's own limit for what it calls is 1.2, which a Redis may refuse.
        tls_params: { tls_maximum_protocol_version: 'TLSv1_3' },
        ...(certificate === undefined
          ? {}
          : {
              tls_certificates: [
                {
                  certificate_chain: secrets(certificate.chain),
                  private_key: secrets(certificate.key),
                },
              ],
            }),
        // Without a validation context Envoy believes everybody.
        ...(skipVerification ? {} : { validation_context: validation(tls, secrets) }),
      },
      // An IP address is no server name (RFC 6066).
      ...(isIP(serverName) === 0 ? { sni: serverName } : {}),
    }),
  };
}

function validation(
  { serverName, authorities }: UpstreamTls,
  secrets: PlaceSecret,
): CertificateValidationContext {
  return {
    trusted_ca: authorities === undefined ? { filename: SYSTEM_AUTHORITIES } : secrets(authorities),
    match_typed_subject_alt_names: [
      { san_type: isIP(serverName) === 0 ? 'DNS' : 'IP_ADDRESS', matcher: { exact: serverName } },
    ],
  };
}
