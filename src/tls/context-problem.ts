/**
 * Whether OpenSSL takes certificates that it can read: keys that are too short and digests that are too weak it refuses.
 */
import { createSecureContext } from 'node:tls';

import type { SecretText } from '../api/secret-text.ts';

export interface ClientPems {
  readonly authorities: SecretText | undefined;
  readonly certificate: { readonly chain: SecretText; readonly key: SecretText } | undefined;
}

/** undefined: it takes them. Quotes neither. */
export function contextProblem({ authorities, certificate }: ClientPems): string | undefined {
  if (authorities !== undefined) {
    const problem = refusal({ ca: authorities.reveal() });
    if (problem !== undefined) return `OpenSSL does not take its list of authorities (${problem})`;
  }
  if (certificate === undefined) return undefined;
  const problem = refusal({ cert: certificate.chain.reveal(), key: certificate.key.reveal() });
  return problem && `OpenSSL does not take its certificate (${problem})`;
}

function refusal(options: Parameters<typeof createSecureContext>[0]): string | undefined {
  try {
    createSecureContext(options);
    return undefined;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return code ?? message;
  }
}
