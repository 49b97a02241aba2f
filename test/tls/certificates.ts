/**
 * Certificates for tests, which may be valid for seconds only.
 */
import { mkdir, mkdtemp, rename, symlink, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';

import { SecretText } from '../../src/api/secret-text.ts';
import type { UpstreamTls } from '../../src/plan/routing-plan.ts';
import type { KeyPair, Validity } from '../../src/tls/authority.ts';
import type { CertificateFiles } from '../../src/tls/certificate-files.ts';

/** Valid since a minute ago; `seconds` may be negative: expired. */
export function validForSeconds(seconds: number): Validity {
  return { notBefore: new Date(Date.now() - 60_000), notAfter: new Date(Date.now() + seconds * 1_000) };
}

export function spiffe(namespace: string): string {
  return `spiffe://cluster.local/ns/${namespace}/sa/test`;
}

/**
 * As the kubelet mounts a Secret: the files are links through a link to a folder, and only that link is ever replaced.
 */
export async function mountSecret(folder: string, ca: string, pair: KeyPair): Promise<void> {
  await mkdir(folder, { recursive: true });
  const version = await mkdtemp(join(folder, '..version-'));
  await writeFiles(version, ca, pair);
  await symlink(basename(version), `${version}-link`);
  await rename(`${version}-link`, join(folder, '..data'));
  for (const name of ['ca.crt', 'tls.key', 'tls.crt']) {
    await symlink(join('..data', name), join(folder, name)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  }
}

/** Replaces what is there, each file at once. */
export async function writeFiles(
  folder: string,
  ca: string,
  { certificate, key }: KeyPair,
): Promise<CertificateFiles> {
  await mkdir(folder, { recursive: true });
  const files = { ca: join(folder, 'ca.crt'), cert: join(folder, 'tls.crt'), key: join(folder, 'tls.key') };
  for (const [path, text] of [
    [files.ca, ca],
    [files.key, key],
    [files.cert, certificate],
  ] as const) {
    await writeFile(`${path}.new`, text, { mode: 0o600 });
    await rename(`${path}.new`, path);
  }
  return files;
}

/** Can be read, but OpenSSL takes no RSA key that short. */
export async function weakPair(): Promise<KeyPair> {
  await import('reflect-metadata');
  const x509 = await import('@peculiar/x509');
  const algorithm = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
  const parameters = { ...algorithm, modulusLength: 1_024, publicExponent: new Uint8Array([1, 0, 1]) };
  const keys = await crypto.subtle.generateKey(parameters, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=weak',
    keys,
    signingAlgorithm: algorithm,
    ...validForSeconds(3_600),
  });
  const key = x509.PemConverter.encode(
    await crypto.subtle.exportKey('pkcs8', keys.privateKey),
    'PRIVATE KEY',
  );
  return { certificate: certificate.toString('pem'), key };
}

/** Of an upstream to which no connection can be made with it. */
export async function weakUpstreamTls(): Promise<UpstreamTls> {
  const { certificate, key } = await weakPair();
  return {
    serverName: 'redis',
    skipVerification: true,
    authorities: undefined,
    certificate: { chain: new SecretText(certificate), key: new SecretText(key) },
  };
}
