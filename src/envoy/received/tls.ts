/**
 * TLS towards Redis, read back from a cluster's transport socket.
 */
import type { SecretText } from '../../api/secret-text.ts';
import type { UpstreamTls } from '../../plan/routing-plan.ts';
import type { TransportSocket } from '../protos/envoy/config/core/v3/TransportSocket.ts';
import type { CertificateValidationContext } from '../protos/envoy/extensions/transport_sockets/tls/v3/CertificateValidationContext.ts';
import { contextProblem } from '../../tls/context-problem.ts';
import { SYSTEM_AUTHORITIES } from '../upstream-tls.ts';
import { inlineSecret, nameOf, refuse, unpacked } from './reading.ts';

export function upstreamTls(socket: TransportSocket | null | undefined): UpstreamTls | undefined {
  if (socket === null || socket === undefined) return undefined;
  const context = unpacked(
    socket.typed_config,
    'envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext',
  );
  if (context === undefined)
    return refuse(`its transport socket is ${nameOf(socket.typed_config)}, not TLS towards Redis`);
  const common = context.common_tls_context ?? {};
  const bySds = common.tls_certificate_sds_secret_configs ?? [];
  if (bySds.length > 0 || common.validation_context_sds_secret_config)
    refuse('its certificates come by SDS, which the proxy does not ask for');
  const [own, ...others] = common.tls_certificates ?? [];
  if (others.length > 0) refuse('it presents several certificates; give it one');
  const validation = common.validation_context ?? undefined;
  const tls = {
    serverName: serverName(context.sni, validation),
    skipVerification: validation === undefined,
    authorities: validation && authorities(validation),
    certificate: own && {
      chain: inlineSecret(own.certificate_chain, 'its certificate'),
      key: inlineSecret(own.private_key, "its certificate's key"),
    },
  };
  const problem = contextProblem(tls);
  return problem === undefined ? tls : refuse(`${problem}; write another one`);
}

/** Empty: an address that is neither asked for nor looked at, since whoever answers is believed. */
function serverName(sni: string | undefined, validation: CertificateValidationContext | undefined): string {
  const matchers = validation?.match_typed_subject_alt_names ?? [];
  const names = matchers.map(({ matcher }) => matcher?.exact ?? refuse('a name is matched, but not exactly'));
  if (validation !== undefined && names.length !== 1)
    refuse(`it checks ${names.length} names of the certificate; the proxy checks one`);
  const asked = sni === undefined || sni === '' ? undefined : sni;
  const [checked] = names;
  if (asked !== undefined && checked !== undefined && asked !== checked)
    refuse(`it asks for ${asked} and checks ${checked}; the proxy checks what it asks for`);
  return asked ?? checked ?? '';
}

function authorities({ trusted_ca: ca }: CertificateValidationContext): SecretText | undefined {
  if (ca?.filename === SYSTEM_AUTHORITIES) return undefined;
  return inlineSecret(ca, 'its list of authorities');
}
