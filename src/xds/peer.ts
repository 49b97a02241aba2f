/**
 * Who is at the other end of a TLS connection.
 */
import type { PeerCertificate, TLSSocket } from 'node:tls';

/** OpenSSL's reasons in our words. */
const REASONS: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'its certificate has expired',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet',
  INVALID_PURPOSE: 'its certificate is not for clients',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is from an authority that is not in --tls-ca',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is from an authority that is not in --tls-ca',
  UNABLE_TO_GET_ISSUER_CERT: 'its certificate is from an authority that is not in --tls-ca',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'its certificate is from an authority that is not in --tls-ca',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'its certificate is from an authority that is not in --tls-ca',
};

/** undefined: it has a certificate that one of our authorities vouches for. */
export function refusalOfPeer(socket: TLSSocket, certificate: PeerCertificate): string | undefined {
  if (Object.keys(certificate).length === 0) return 'it has no certificate';
  if (!socket.authorized) {
    // The types say Error, and Node gives the code as text.
    const code = String(socket.authorizationError);
    const names = certificate.subjectaltname ?? 'no names';
    return `${REASONS[code] ?? `its certificate was not accepted (${code})`} (${names}, until ${certificate.valid_to})`;
  }
  return socket.alpnProtocol === 'h2' ? undefined : 'it does not speak HTTP/2 (ALPN "h2")';
}
