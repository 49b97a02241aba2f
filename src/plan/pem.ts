/**
 * Whether PEM texts are what they should be: one that is not would make Envoy refuse the cluster it is for.
 */
import { X509Certificate, createPrivateKey } from 'node:crypto';

const BLOCK = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/** A clause that reads on after the field's name; undefined where every certificate in the text can be read. */
export function certificateProblem(text: string): string | undefined {
  const blocks = text.match(BLOCK);
  if (blocks === null) return 'holds no certificate; write it as PEM, from -----BEGIN CERTIFICATE----- on';
  for (const [index, block] of blocks.entries()) {
    if (parse(() => new X509Certificate(block)) === undefined)
      return `holds a certificate that can't be read, number ${index + 1}; write it as PEM again`;
  }
  return undefined;
}

/** `chain`: whose first certificate the key must belong to. Never quotes the key. */
export function keyProblem(text: string, chain: string): string | undefined {
  const key = parse(() => createPrivateKey(text));
  if (key === undefined)
    return 'holds no private key that can be read; write it as PEM, without a passphrase';
  const own = new X509Certificate(chain);
  return own.checkPrivateKey(key)
    ? undefined
    : 'does not belong to tls.crt; write the key of that certificate';
}

function parse<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch {
    return undefined;
  }
}
