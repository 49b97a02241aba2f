/**
 * What OpenSSL says of a handshake that failed, without the numbers, functions and files around it:
 *
 *     40E3…:error:0A00010B:SSL routines:tls_validate_record_header:wrong version number:../deps/openssl/…:78:
 */

export type HandshakeProblem =
  /** The other end sent something that is no TLS. */
  | { readonly kind: 'no TLS' }
  /** It speaks TLS, and not what we want to speak in it. */
  | { readonly kind: 'another protocol' }
  | { readonly kind: 'other'; readonly what: string };

const NO_TLS = new Set(['wrong version number', 'packet length too long', 'record layer failure']);

/** undefined: the text is not OpenSSL's. */
export function handshakeProblem(text: string): HandshakeProblem | undefined {
  const what = /error:[0-9A-F]+:SSL routines:[^:]*:([^:]+)/.exec(text)?.[1];
  if (what === undefined) return undefined;
  if (NO_TLS.has(what)) return { kind: 'no TLS' };
  if (what.endsWith('alert no application protocol')) return { kind: 'another protocol' };
  return { kind: 'other', what };
}
