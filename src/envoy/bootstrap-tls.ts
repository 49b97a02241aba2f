/**
 * How an Envoy shows its certificate to the control plane, and checks the control plane's.
 *
 * Envoy 1.40 reads files of certificates again only where they come by SDS with a watched directory. As static secrets
 * or inline it takes the same messages without a word and keeps what it read at its start (measured). So beside the
 * bootstrap there are two files that hold nothing but paths.
 */
import { isIP } from 'node:net';
import { dirname } from 'node:path';

import type { CertificateFiles } from '../tls/certificate-files.ts';
import { any } from './codec.ts';
import { toJson } from './json.ts';
import type { TransportSocket } from './protos/envoy/config/core/v3/TransportSocket.ts';
import type { SdsSecretConfig } from './protos/envoy/extensions/transport_sockets/tls/v3/SdsSecretConfig.ts';
import type { Secret } from './protos/envoy/extensions/transport_sockets/tls/v3/Secret.ts';

export interface SidecarTls {
  /** As this Envoy finds them: absolute. */
  readonly files: CertificateFiles;
  /** How the paths of the two files begin, absolute too. */
  readonly secretsPrefix: string;
}

const CERTIFICATE = 'certificate';
const AUTHORITIES = 'authorities';

/** `host`: the control plane's name or address, which must be among the names of its certificate. */
export function tlsSocket({ secretsPrefix }: SidecarTls, host: string): TransportSocket {
  return {
    name: 'envoy.transport_sockets.tls',
    typed_config: any('envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext', {
      ...(isIP(host) === 0 ? { sni: host } : {}),
      common_tls_context: {
        // Without it Envoy as a client goes up to 1.2 only.
        tls_params: { tls_minimum_protocol_version: 'TLSv1_2', tls_maximum_protocol_version: 'TLSv1_3' },
        alpn_protocols: ['h2'],
        tls_certificate_sds_secret_configs: [fromFile(secretsPrefix, CERTIFICATE)],
        validation_context_sds_secret_config: fromFile(secretsPrefix, AUTHORITIES),
      },
    }),
  };
}

/** Path and content (JSON) of what the bootstrap refers to. */
export function secretFiles(
  { files, secretsPrefix }: SidecarTls,
  host: string,
): readonly (readonly [string, object])[] {
  const { ca, cert, key } = files;
  return [
    secretFile(secretsPrefix, {
      name: CERTIFICATE,
      tls_certificate: {
        certificate_chain: { filename: cert },
        private_key: { filename: key },
        watched_directory: { path: dirname(cert) },
      },
    }),
    secretFile(secretsPrefix, {
      name: AUTHORITIES,
      validation_context: {
        trusted_ca: { filename: ca },
        watched_directory: { path: dirname(ca) },
        match_typed_subject_alt_names: [
          { san_type: isIP(host) === 0 ? 'DNS' : 'IP_ADDRESS', matcher: { exact: host } },
        ],
      },
    }),
  ];
}

function fromFile(prefix: string, name: string): SdsSecretConfig {
  return {
    name,
    sds_config: { path_config_source: { path: pathOf(prefix, name) }, resource_api_version: 'V3' },
  };
}

function secretFile(prefix: string, secret: Secret & { readonly name: string }): readonly [string, object] {
  const resources = [any('envoy.extensions.transport_sockets.tls.v3.Secret', secret)];
  return [pathOf(prefix, secret.name), toJson('envoy.service.discovery.v3.DiscoveryResponse', { resources })];
}

function pathOf(prefix: string, name: string): string {
  return `${prefix}.${name}.json`;
}
