/**
 * The three files that one end of a mutual TLS connection needs, checked when they are read.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';

export interface CertificateFiles {
  /** The authorities that the other end's certificate must be from. */
  readonly ca: string;
  /** The own certificate, with intermediate ones if any. */
  readonly cert: string;
  readonly key: string;
}

export interface Certificates {
  readonly ca: Buffer;
  readonly cert: Buffer;
  readonly key: Buffer;
  /** The names of the own certificate, as Node writes them. */
  readonly names: string;
  readonly notAfter: Date;
}

/** Fails with one line that names the file and the flag that gave it. Never quotes what is in them. */
export async function readCertificates(files: CertificateFiles): Promise<Certificates> {
  const ca = await readAuthorities('--tls-ca', files.ca);
  return { ca, ...(await readPair('--tls', files)) };
}

/** The authorities of a file. Fails as `readCertificates` does. */
export async function readAuthorities(flag: string, file: string): Promise<Buffer> {
  const ca = await read(flag, file);
  parse(flag, file, 'a certificate (PEM)', () => new X509Certificate(ca));
  // Further ones that are damaged.
  parse(flag, file, 'a list of certificates (PEM)', () => createSecureContext({ ca }));
  return ca;
}

/** A certificate and its key, given by the flags that begin with `flags`. Fails as `readCertificates` does. */
export async function readPair(
  flags: string,
  files: Pick<CertificateFiles, 'cert' | 'key'>,
): Promise<Omit<Certificates, 'ca'>> {
  const [certFlag, keyFlag] = [`${flags}-cert`, `${flags}-key`];
  const cert = await read(certFlag, files.cert);
  const key = await read(keyFlag, files.key);
  const own = parse(certFlag, files.cert, 'a certificate (PEM)', () => new X509Certificate(cert));
  const privateKey = parse(keyFlag, files.key, 'a private key without a password (PEM)', () =>
    createPrivateKey(key),
  );
  if (!own.checkPrivateKey(privateKey)) {
    throw new Error(
      `${keyFlag} ${files.key} is not the key of the certificate in ${certFlag} ${files.cert}; give two that were made together`,
    );
  }
  const notAfter = new Date(own.validTo);
  if (notAfter.getTime() < Date.now()) {
    throw new Error(`${certFlag} ${files.cert} has expired (${notAfter.toISOString()}); renew it`);
  }
  // What is left: further certificates of the file that are damaged.
  parse(certFlag, files.cert, 'a chain of certificates (PEM)', () => createSecureContext({ cert, key }));
  return { cert, key, names: own.subjectAltName ?? own.subject, notAfter };
}

/** What Node's TLS takes of it. */
export function tlsContext({ ca, cert, key }: Certificates): Pick<Certificates, 'ca' | 'cert' | 'key'> & {
  readonly minVersion: 'TLSv1.2';
} {
  return { ca, cert, key, minVersion: 'TLSv1.2' };
}

async function read(flag: string, file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    const why = code === 'ENOENT' ? 'there is no such file' : `it can't be read (${code})`;
    throw new Error(`${flag} ${file}: ${why}; give the path of a PEM file`, { cause: error });
  }
}

function parse<T>(flag: string, file: string, what: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    throw new Error(`${flag} ${file} is not ${what}; give a file that is`, { cause: error });
  }
}
